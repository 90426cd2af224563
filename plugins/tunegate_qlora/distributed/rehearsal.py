"""Rehearse a training on CPUs: two steps of the base's architecture with two random layers.

A rehearsal shows that the processes find each other, train, save a checkpoint, resume from it to
the same weights, and save a model that can be read back. It shows nothing of the real size.
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
from tunegate.tokenization.chat_template import load_template
from tunegate.tokenization.encode import NotTrainable
from tunegate.utils.atomic import atomic_folder

from ..config.settings import Settings
from ..data import rows as pairs
from ..model.architecture import tiny_copy
from ..runtime import process_group
from ..training import checkpoints
from . import launch

if TYPE_CHECKING:
    from ..data.training_data import TrainingData
    from ..training.job import TrainingJob

MAX_PROCESSES = 8  # on the machine that rehearses: each takes about 1 GB of memory
REHEARSED_STEPS = 2


def rehearsed_processes(settings: Settings) -> int:
    """Return the number of processes that rehearse a training."""
    return min(settings.world_size, MAX_PROCESSES)


def rehearsal_plan(plan: Plan, folder: Path, root: Path) -> Plan:
    """Return the plan of a rehearsal; a small base and its rows are written into `folder`.

    The rows are the shortest that can be trained on, repeated where there are too few. Raises
    ValueError where the base cannot be made small, or no row can be trained on.
    """
    settings = parse_settings(Settings, plan.config)
    base = tiny_copy(root, folder / "base")
    batch = 2 if settings.packing else 1  # one row alone cannot be mixed with another
    count = REHEARSED_STEPS * rehearsed_processes(settings) * batch
    chat_template, encode, trainable = load_template(root), pairs.encoder_of(settings), []
    for example in Dataset.read(plan.train, columns=plan.columns):
        with contextlib.suppress(NotTrainable):
            tokens = len(encode(example, chat_template).ids)
            trainable.append((tokens, example.row, dict(example.fields)))
    if not trainable:
        raise ValueError(f"{plan.train}: no row that can be trained on")
    shortest = [fields for _, _, fields in sorted(trainable, key=lambda row: row[:2])][:count]
    lines = [json.dumps(fields, default=str) + "\n" for fields in (shortest * count)[:count]]
    train = folder / "train.jsonl"
    train.write_text("".join(lines), "utf-8")
    small_settings = {
        "base": str(base),
        "processes": rehearsed_processes(settings),
        "machines": 1,
        "address": "",
        "epochs": 1,
        "batch": batch,
        "accumulation": 1,
        "checkpoint_seconds": 0.0,
        "threads": 1,
        "learning_rate": 1e-3,
        "keep": "last",
        "patience": 0,
        "preset": None,
    }
    config = {**plan.config, **small_settings}
    return replace(plan, train=train, validation=None, columns={}, config=config, base_digest="")


def train_and_resume(job: TrainingJob, rows: TrainingData, draft: Path) -> dict[str, float | int]:
    """Train a rehearsal twice, the second time from a checkpoint of the first.

    Returns:
        The figures of the second training.

    Raises:
        TrainingFailed: The two end with different weights, or no whole checkpoint was saved.
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
    if process_group.is_main() and not same_weights(first_folder, draft):
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
        return figures | verify.verify_saved(draft, job.base_folder, job.settings, rows, figures)


def same_weights(first_folder: Path, second_folder: Path) -> bool:
    """Whether two folders hold the same weights, but for the order in which processes sum."""
    from safetensors.torch import load_file

    for path in first_folder.glob("*.safetensors"):
        first_weights, second_weights = load_file(path), load_file(second_folder / path.name)
        if not all(
            torch.allclose(first_weights[k], second_weights[k], rtol=1e-4, atol=1e-6)
            for k in first_weights
        ):
            return False
    return any(first_folder.glob("*.safetensors"))
