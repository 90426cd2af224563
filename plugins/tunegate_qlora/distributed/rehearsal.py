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

from tunegate.config.settings import parse_settings
from tunegate.data.dataset import Dataset
from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate.tokenization.encode import NotTrainable
from tunegate.utils.atomic import atomic_folder

from ..config.settings import Settings
from ..data import rows as pairs
from ..model import chat_template as template
from ..model.architecture import tiny_copy
from ..runtime import process_group
from ..training import checkpoints
from . import launch

if TYPE_CHECKING:
    from ..data.training_data import TrainingData
    from ..training.job import TrainingJob

MAX_PROCESSES = 8  # processes on the machine that rehearses: each takes about 1 GB
REHEARSED_STEPS = 2


def rehearsed_processes(settings: Settings) -> int:
    """Return with how many processes a training is rehearsed."""
    return min(settings.world_size, MAX_PROCESSES)


def rehearsal_plan(plan: Plan, folder: Path, root: Path) -> Plan:
    """Return the plan of a rehearsal, all that it needs written into a folder.

    Raises ValueError where the base cannot be made small, or no row can be trained on.
    """
    settings = parse_settings(Settings, plan.config)
    base = tiny_copy(root, folder / "base")
    batch = 2 if settings.packing else 1  # of one row there is nothing to keep apart
    count = REHEARSED_STEPS * rehearsed_processes(settings) * batch
    train = _write_short_rows(plan, settings, root, folder / "train.jsonl", count)
    small_settings = {
        **{
            "base": str(base),
            "processes": rehearsed_processes(settings),
            "machines": 1,
            "address": "",
        },
        **{"epochs": 1, "batch": batch, "accumulation": 1, "checkpoint_seconds": 0.0, "threads": 1},
        **{"learning_rate": 1e-3, "keep": "last", "patience": 0, "preset": None},
    }
    config = {**plan.config, **small_settings}
    return replace(plan, train=train, validation=None, columns={}, config=config, base_digest="")


def train_and_resume(job: TrainingJob, rows: TrainingData, draft: Path) -> dict[str, float | int]:
    """Train twice, the second time from the checkpoint amid the first; return the figures.

    Raises TrainingFailed where that does not end with the same weights.
    """
    from ..training import learn

    first_folder = job.folder / "once"
    first_folder.mkdir(exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        learn.learn(job, rows, first_folder, None)
        learn.seed_and_threads(job.settings)
        checkpoint = (
            checkpoints.newest_whole(job.folder / "checkpoints")
            if process_group.is_main()
            else None
        )
        resume_from = process_group.broadcast(checkpoint)
        if resume_from is None:
            raise TrainingFailed("no whole checkpoint was kept")
        figures = learn.learn(job, rows, draft, resume_from)
    if process_group.is_main() and not _same_weights(first_folder, draft):
        raise TrainingFailed("a training that goes on from its checkpoint ends with other weights")
    return figures


def rehearse(job: TrainingJob) -> dict[str, float | int]:
    """Rehearse a job that `rehearsal_plan` made; raise TrainingFailed."""
    from ..data import training_data
    from ..training import learn, verify

    learn.seed_and_threads(job.settings)
    rows = training_data.load_training_data(job.plan, job.settings, job.base_folder)
    with atomic_folder(job.model_folder) as draft:
        if job.settings.world_size > 1:
            figures = launch.learn_with_workers(job, draft, None, rehearse=True)
        else:
            figures = train_and_resume(job, rows, draft)
        memory_losses = verify.losses_in_memory(figures)
        return figures | verify.verify_saved(
            draft, job.base_folder, job.settings, rows, memory_losses
        )


def _write_short_rows(plan: Plan, settings: Settings, root: Path, path: Path, count: int) -> Path:
    """Write the shortest rows that can be trained on, as often as it takes."""
    chat_template, encode, trainable = template.load_template(root), pairs.encoder_of(settings), []
    for example in Dataset.read(plan.train, columns=plan.columns):
        with contextlib.suppress(NotTrainable):
            trainable.append(
                (len(encode(example, chat_template).ids), example.row, dict(example.fields))
            )
    if not trainable:
        raise ValueError(f"{plan.train}: no row that can be trained on")
    shortest = [fields for _, _, fields in sorted(trainable, key=lambda row: row[:2])][:count]
    repeated = (shortest * count)[:count]
    path.write_text("".join(json.dumps(fields, default=str) + "\n" for fields in repeated), "utf-8")
    return path


def _same_weights(first_folder: Path, second_folder: Path) -> bool:
    from safetensors.torch import load_file

    for path in first_folder.glob("*.safetensors"):
        first_weights, second_weights = load_file(path), load_file(second_folder / path.name)
        if not all(
            torch.allclose(first_weights[k], second_weights[k], rtol=1e-4, atol=1e-6)
            for k in first_weights
        ):
            return False
    return any(first_folder.glob("*.safetensors"))
