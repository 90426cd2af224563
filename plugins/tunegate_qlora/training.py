"""One training, from the plan to a model on disk that was read back."""

from __future__ import annotations

import gc
import json
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from tunegate.protocols import Plan, Trained, TrainingFailed
from tunegate.settings import settle

from . import (
    base,
    best,
    card,
    checkpoints,
    curves,
    launch,
    material,
    methods,
    objective,
    prove,
    ranks,
    rendering,
    report,
)
from .best import Best
from .config import Settings
from .curves import Curves
from .failures import in_one_message
from .folders import appearing
from .loop import Loop
from .material import Material
from .model import digest
from .note import Note
from .objective import Objective
from .progress import Bar, say

PATHS = ("train", "validation", "test", "root")  # of a plan


@dataclass(frozen=True, slots=True)
class Job:
    """A training that is about to run: what on, with what, where to."""

    plan: Plan
    settings: Settings
    base: Path
    folder: Path

    @property
    def made(self) -> Path:
        """Where the model will stand."""
        return self.folder / methods.place(self.settings)


def run(plan: Plan, folder: Path) -> Trained:
    """Train the plan into the run's folder, or go on where an earlier attempt was killed.

    Raises TrainingFailed with one message, whatever went wrong below.
    """
    settings = settle(Settings, plan.config)
    with in_one_message(settings):
        job = prepared(plan, folder)
        if not job.made.is_dir():
            _train(job)
        return _trained(job)


def prepared(plan: Plan, folder: Path) -> Job:
    """Return the job that a plan is; raise TrainingFailed or ValueError where its base is not."""
    settings = settle(Settings, plan.config)
    return Job(plan, settings, _base(plan, settings), folder)


def _base(plan: Plan, settings: Settings) -> Path:
    """Return the base's folder, which must hold the very files that the gate was opened for."""
    root = base.locate(settings.base, plan.root)
    if plan.base_digest and base.digest(root) != plan.base_digest:
        raise TrainingFailed(
            f"the base in {root} has changed since this run was planned: plan it again"
        )
    return root


def _train(job: Job) -> None:
    launch.gone(job)  # before anything of theirs is looked at, or cleared away
    prepare(job.settings)
    rows = material.read(job.plan, job.settings, job.base)
    with appearing(job.made) as draft:
        done = _done(job)
        alone = job.settings.world == 1
        figures = learn(job, rows, draft, done) if alone else launch.learn(job, draft, done)
        gc.collect()  # the trained model makes room for the one that is read back
        before = prove.in_memory(figures)
        figures |= prove.reloaded(draft, job.base, job.settings, rows, before)
        report.proof(figures, len(prove.sample(rows)))
        (job.folder / "figures.json").write_text(json.dumps(figures, indent=1))
        card.write(draft, job.plan, job.folder, job.base)
    for name in ("checkpoints", "best"):  # nothing is left to go on with
        shutil.rmtree(job.folder / name, ignore_errors=True)


def learn(job: Job, rows: Material, draft: Path, done: Path | None) -> report.Figures:
    """Train, from a checkpoint on if there is one; write the model into the draft, return figures.

    Several processes do so at once; the first writes.
    """
    settings = job.settings
    model = methods.prepared(job.base, settings)
    parameters = methods.parameters(model)
    report.announce(settings, rows, parameters)
    padding = report.padding(settings, rows)
    aim = objective.of(model, rows, settings)  # the model is the base yet: no checkpoint is loaded
    if done:
        say(f"going on from step {checkpoints.step(done):,}")
    readings, bar, loop, keeper = _loop(job, rows, model, aim, checkpoints.step(done))
    with closing(bar):
        loop.train(resume_from_checkpoint=str(done) if done else None)
    if keeper and loop.state.best_global_step not in (None, loop.state.global_step):
        keeper.restore(loop.state.best_global_step)
    _finite(model)
    figures = report.figures(readings, loop.state, rows, parameters, settings) | padding
    figures |= report.gained(aim.figures(), rows)
    methods.save(model, draft, job.base, settings, _note(job, rows))
    methods.round_as_saved(model, job.base, settings)
    figures |= prove.named(prove.measure(model, rows, settings), "in_memory")
    return figures


def _done(job: Job) -> Path | None:
    """Return the checkpoint to go on from, with the best weights that it may have to end with."""
    folder = job.folder / "checkpoints"
    while (found := checkpoints.newest(folder)) and not best.there(job.folder, found):
        shutil.rmtree(found)
    return found


def _note(job: Job, rows: Material) -> Note:
    return Note(
        job.settings.base, base.digest(job.base), job.settings.decoding,
        rendering.text(job.base), rendering.rendered(rows.template),
    )  # fmt: skip


def _loop(
    job: Job, rows: Material, model: Any, aim: Objective, done: int
) -> tuple[Curves, Bar, Loop, Best | None]:
    settings, folder = job.settings, job.folder
    measured = aim.validate if rows.validation else None
    readings = Curves(folder / "curves.jsonl", aim.choices, measured, done, aim.worst)
    bar = Bar(readings, rows.tokens * settings.epochs)
    kept = settings.keep == "best" and bool(rows.validation)
    keeper = Best(model, folder, readings, settings.patience) if kept else None
    watchers = [readings, bar, *([keeper] if keeper else [])]
    saved = folder / "checkpoints"
    loop = Loop(model, aim.train, settings, saved, aim.collate, watchers, aim.loss)
    return readings, bar, loop, keeper


def prepare(settings: Settings) -> None:
    if settings.threads:
        torch.set_num_threads(settings.threads)
    set_seed(settings.seed)


def _finite(model: Any) -> None:
    weights = [p for p in model.parameters() if p.requires_grad]
    if not all(bool(torch.isfinite(ranks.whole(p)).all()) for p in weights):
        raise TrainingFailed("the trained weights are not numbers: lower `learning_rate`")


def _trained(job: Job) -> Trained:
    figures = json.loads((job.folder / "figures.json").read_bytes())
    curves.end(job.folder, figures.get("kept_step", figures["steps"]))  # nothing is resumed now
    whole = job.settings.method == "full"
    folder, tuned = (job.made, None) if whole else (job.base, job.made)
    made = digest(folder, tuned, job.settings.decoding)
    return Trained(f"folder:{job.made.name}", made, figures)
