"""A training in small: the base's architecture with two layers and random weights, two steps.

What it proves: that so many processes find each other, train, keep a checkpoint, go on from it to
the same weights, and save a model that reads back. On CPUs, and of the real size nothing.
"""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tunegate.dataset import Dataset
from tunegate.encode import Unfit
from tunegate.protocols import Plan, TrainingFailed
from tunegate.settings import settle

from . import checkpoints, launch, pairs, ranks, template
from .config import Settings
from .folders import appearing
from .shrunk import shrunk

if TYPE_CHECKING:
    from .material import Material
    from .training import Job

MOST = 8  # processes on the machine that rehearses: each takes about 1 GB
STEPS = 2


def processes(settings: Settings) -> int:
    """Return with how many processes a training is rehearsed."""
    return min(settings.world, MOST)


def planned(plan: Plan, folder: Path, root: Path) -> Plan:
    """Return the plan of a rehearsal, all that it needs written into a folder.

    Raises ValueError where the base cannot be made small, or no row can be trained on.
    """
    settings = settle(Settings, plan.config)
    base = shrunk(root, folder / "base")
    batch = 2 if settings.packing else 1  # of one row there is nothing to keep apart
    count = STEPS * processes(settings) * batch
    train = _rows(plan, settings, root, folder / "train.jsonl", count)
    small = {
        **{"base": str(base), "processes": processes(settings), "machines": 1, "address": ""},
        **{"epochs": 1, "batch": batch, "accumulation": 1, "checkpoint_seconds": 0.0, "threads": 1},
        **{"learning_rate": 1e-3, "keep": "last", "patience": 0, "preset": None},
    }
    config = {**plan.config, **small}
    return replace(plan, train=train, validation=None, columns={}, config=config, base_digest="")


def play(job: Job, rows: Material, draft: Path) -> dict[str, float | int]:
    """Train twice, the second time from the checkpoint amid the first; return the figures.

    Raises TrainingFailed where that does not end with the same weights.
    """
    from . import training

    once = job.folder / "once"
    once.mkdir(exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        training.learn(job, rows, once, None)
        training.prepare(job.settings)
        kept = checkpoints.newest(job.folder / "checkpoints") if ranks.first() else None
        done = ranks.from_first(kept)
        if done is None:
            raise TrainingFailed("no whole checkpoint was kept")
        figures = training.learn(job, rows, draft, done)
    if ranks.first() and not _alike(once, draft):
        raise TrainingFailed("a training that goes on from its checkpoint ends with other weights")
    return figures


def run(job: Job) -> dict[str, float | int]:
    """Rehearse a job that `planned` made; raise TrainingFailed."""
    from . import material, prove, training

    training.prepare(job.settings)
    rows = material.read(job.plan, job.settings, job.base)
    with appearing(job.made) as draft:
        if job.settings.world > 1:
            figures = launch.learn(job, draft, None, rehearse=True)
        else:
            figures = play(job, rows, draft)
        before = prove.in_memory(figures)
        return figures | prove.reloaded(draft, job.base, job.settings, rows, before)


def _rows(plan: Plan, settings: Settings, root: Path, path: Path, count: int) -> Path:
    """Write the shortest rows that can be trained on, as often as it takes."""
    chat, encode, fit = template.load(root), pairs.encoder(settings), []
    for example in Dataset.read(plan.train, columns=plan.columns):
        with contextlib.suppress(Unfit):
            fit.append((len(encode(example, chat).ids), example.row, dict(example.fields)))
    if not fit:
        raise ValueError(f"{plan.train}: no row that can be trained on")
    chosen = [fields for _, _, fields in sorted(fit, key=lambda row: row[:2])][:count]
    told = (chosen * count)[:count]
    path.write_text("".join(json.dumps(fields, default=str) + "\n" for fields in told), "utf-8")
    return path


def _alike(one: Path, other: Path) -> bool:
    from safetensors.torch import load_file

    for path in one.glob("*.safetensors"):
        before, after = load_file(path), load_file(other / path.name)
        if not all(torch.allclose(before[k], after[k], rtol=1e-4, atol=1e-6) for k in before):
            return False
    return any(one.glob("*.safetensors"))
