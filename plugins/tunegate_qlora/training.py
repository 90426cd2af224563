"""One training, from the plan to the adapter."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from tunegate.protocols import Plan, Trained, TrainingFailed

from . import adapter, base, checkpoints, lora, loss, material, rendering
from .batches import collator
from .config import Settings, settle
from .curves import Curves
from .failures import in_one_message
from .loop import Loop
from .material import Material
from .model import digest
from .progress import Bar, clock, losses, say
from .quantise import load


@dataclass(frozen=True, slots=True)
class Job:
    """A training that is about to run: what on, with what, where to."""

    plan: Plan
    settings: Settings
    base: Path
    folder: Path


def run(plan: Plan, folder: Path) -> Trained:
    """Train the plan into the run's folder, or go on where an earlier attempt was killed.

    Raises TrainingFailed with one message, whatever went wrong below.
    """
    settings = settle(Settings, plan.config)
    with in_one_message(settings):
        root = _base(plan, settings, folder)
        job = Job(plan, settings, root, folder)
        if not (folder / "adapter").is_dir():
            _train(job)
        return _trained(job)


def _base(plan: Plan, settings: Settings, folder: Path) -> Path:
    """Return the base's folder, which must hold the very files that the gate was opened for.

    A run knows no project root: it lies above its folder, or is the working directory.
    """
    root = base.locate(settings.base, *folder.absolute().parents, Path.cwd())
    if plan.base_digest and base.digest(root) != plan.base_digest:
        raise TrainingFailed(
            f"the base in {root} has changed since this run was planned: plan it again"
        )
    return root


def _train(job: Job) -> None:
    _prepare(job.settings)
    rows = material.read(job.plan, job.settings, job.base)
    model = lora.attach(load(job.base, job.settings.decoding), job.settings)
    _announce(job, rows, model)
    done = checkpoints.newest(job.folder / "checkpoints")
    if done:
        say(f"going on from step {checkpoints.step(done):,}")
    curves, bar, loop = _loop(job, rows, model, checkpoints.step(done))
    with closing(bar):
        loop.train(resume_from_checkpoint=str(done) if done else None)
    _finite(model)
    _report(job, rows, curves, lora.parameters(model))
    adapter.save(model, job.folder / "adapter", _note(job, rows))
    shutil.rmtree(job.folder / "checkpoints", ignore_errors=True)  # nothing is left to go on with


def _note(job: Job, rows: Material) -> adapter.Note:
    return adapter.Note(
        job.settings.base, base.digest(job.base), job.settings.decoding,
        rendering.text(job.base), rendering.rendered(rows.template),
    )  # fmt: skip


def _loop(job: Job, rows: Material, model: Any, done: int) -> tuple[Curves, Bar, Loop]:
    settings, folder = job.settings, job.folder
    collate = collator(rows.template.pad, narrow=loss.narrows(model.get_base_model()))

    def validate() -> float:
        return loss.measure(model, rows.validation, 4 * settings.batch, collate)

    measured = validate if rows.validation else None
    curves = Curves(folder / "curves.jsonl", model.config.vocab_size, measured, done)
    bar = Bar(curves, rows.tokens * settings.epochs)
    places = folder / "checkpoints"
    loop = Loop(model, rows.train, settings, places, collate, [curves, bar])
    return curves, bar, loop


def _prepare(settings: Settings) -> None:
    if settings.threads:
        torch.set_num_threads(settings.threads)
    set_seed(settings.seed)


def _announce(job: Job, rows: Material, model: Any) -> None:
    aside = f", {rows.dropped:,} too long and set aside" if rows.dropped else ""
    held_out = f", {len(rows.validation):,} held out" if rows.validation else ""
    told = f"{len(rows.train):,} rows{held_out}{aside}; {lora.parameters(model)}"
    say(told, "training")


def _finite(model: Any) -> None:
    weights = (p for p in model.parameters() if p.requires_grad)
    if not all(bool(torch.isfinite(p).all()) for p in weights):
        raise TrainingFailed("the adapter's weights are not numbers: lower `learning_rate`")


def _report(job: Job, rows: Material, curves: Curves, parameters: lora.Parameters) -> None:
    """Print the last line, and keep the figures beside the adapter: they are no part of it."""
    last, epochs = curves.last, job.settings.epochs
    figures: dict[str, float | int] = {
        key: last[key] for key in ("train_loss", "validation_loss") if key in last
    }
    figures |= {
        "seconds": round(last["seconds"], 2),
        "steps": int(last["step"]),
        "tokens": rows.tokens * epochs,
        "trained_tokens": sum(row.trained for row in rows.train) * epochs,
        "rows": len(rows.train),
        "trainable_parameters": parameters.trainable,
        "parameters": parameters.total,
    }
    (job.folder / "figures.json").write_text(json.dumps(figures, indent=1))
    told = f"{figures['steps']:,} steps in {clock(last['seconds'])}: {losses(last)}"
    say(f"{epochs} epochs, {told}", "trained")


def _trained(job: Job) -> Trained:
    figures = json.loads((job.folder / "figures.json").read_bytes())
    made = digest(job.base, job.folder / "adapter", job.settings.decoding)
    return Trained("folder:adapter", made, figures)
