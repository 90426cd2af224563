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
from tunegate.settings import parse_settings

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
from .best import BestWeightsCallback
from .config import Settings
from .curves import LossCurveCallback
from .failures import one_line_errors
from .folders import atomic_folder
from .loop import LengthGroupedTrainer
from .material import TrainingData
from .model import model_digest
from .note import ModelMetadata
from .objective import Objective
from .progress import ProgressCallback, print_line

PATHS = ("train", "validation", "test", "root")  # of a plan


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A training that is about to run: what on, with what, where to."""

    plan: Plan
    settings: Settings
    base_folder: Path
    folder: Path

    @property
    def model_folder(self) -> Path:
        """Where the model will stand."""
        return self.folder / methods.output_name(self.settings)


def train_plan(plan: Plan, folder: Path) -> Trained:
    """Train the plan into the run's folder, or go on where an earlier attempt was killed.

    Raises TrainingFailed with one message, whatever went wrong below.
    """
    settings = parse_settings(Settings, plan.config)
    with one_line_errors(settings):
        job = make_job(plan, folder)
        if not job.model_folder.is_dir():
            _train_job(job)
        return _trained_result(job)


def make_job(plan: Plan, folder: Path) -> TrainingJob:
    """Return the job that a plan is; raise TrainingFailed or ValueError where its base is not."""
    settings = parse_settings(Settings, plan.config)
    return TrainingJob(plan, settings, _checked_base(plan, settings), folder)


def _checked_base(plan: Plan, settings: Settings) -> Path:
    """Return the base's folder, which must hold the very files that the gate was opened for."""
    root = base.locate_base(settings.base, plan.root)
    if plan.base_digest and base.base_digest(root) != plan.base_digest:
        raise TrainingFailed(
            f"the base in {root} has changed since this run was planned: plan it again"
        )
    return root


def _train_job(job: TrainingJob) -> None:
    launch.wait_for_old_workers(job)  # before anything of theirs is looked at, or cleared away
    seed_and_threads(job.settings)
    rows = material.load_training_data(job.plan, job.settings, job.base_folder)
    with atomic_folder(job.model_folder) as draft:
        checkpoint = _resume_checkpoint(job)
        is_single_process = job.settings.world_size == 1
        figures = (
            learn(job, rows, draft, checkpoint)
            if is_single_process
            else launch.learn_with_workers(job, draft, checkpoint)
        )
        gc.collect()  # the trained model makes room for the one that is read back
        memory_losses = prove.losses_in_memory(figures)
        figures |= prove.verify_saved(draft, job.base_folder, job.settings, rows, memory_losses)
        report.print_proof(figures, len(prove.sample_rows(rows)))
        (job.folder / "figures.json").write_text(json.dumps(figures, indent=1))
        card.write_card(draft, job.plan, job.folder, job.base_folder)
    for name in ("checkpoints", "best"):  # nothing is left to go on with
        shutil.rmtree(job.folder / name, ignore_errors=True)


def learn(
    job: TrainingJob, rows: TrainingData, draft: Path, checkpoint: Path | None
) -> report.Figures:
    """Train, from a checkpoint on if there is one; write the model into the draft, return figures.

    Several processes do so at once; the first writes.
    """
    settings = job.settings
    model = methods.load_trainable(job.base_folder, settings)
    parameters = methods.count_parameters(model)
    report.print_start(settings, rows, parameters)
    padding = report.print_padding(settings, rows)
    training_objective = objective.make_objective(
        model, rows, settings
    )  # the model is the base yet: no checkpoint is loaded
    if checkpoint:
        print_line(f"going on from step {checkpoints.step_of(checkpoint):,}")
    readings, progress, trainer, best_weights = _make_trainer(
        job, rows, model, training_objective, checkpoints.step_of(checkpoint)
    )
    with closing(progress):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if best_weights and trainer.state.best_global_step not in (None, trainer.state.global_step):
        best_weights.restore(trainer.state.best_global_step)
    _check_finite(model)
    figures = report.print_figures(readings, trainer.state, rows, parameters, settings) | padding
    figures |= report.print_rewards(training_objective.figures(), rows)
    methods.save_trained(model, draft, job.base_folder, settings, _model_metadata(job, rows))
    methods.round_to_saved_dtype(model, job.base_folder, settings)
    figures |= prove.prefix_keys(prove.measure_loss(model, rows, settings), "in_memory")
    return figures


def _resume_checkpoint(job: TrainingJob) -> Path | None:
    """Return the checkpoint to go on from, with the best weights that it may have to end with."""
    folder = job.folder / "checkpoints"
    while (checkpoint := checkpoints.newest_whole(folder)) and not best.is_restorable(
        job.folder, checkpoint
    ):
        shutil.rmtree(checkpoint)
    return checkpoint


def _model_metadata(job: TrainingJob, rows: TrainingData) -> ModelMetadata:
    return ModelMetadata(
        job.settings.base, base.base_digest(job.base_folder), job.settings.decoding,
        rendering.template_text_of(job.base_folder), rendering.render_probe(rows.chat_template),
    )  # fmt: skip


def _make_trainer(
    job: TrainingJob, rows: TrainingData, model: Any, training_objective: Objective, step_done: int
) -> tuple[LossCurveCallback, ProgressCallback, LengthGroupedTrainer, BestWeightsCallback | None]:
    settings, folder = job.settings, job.folder
    validate = training_objective.validate if rows.validation else None
    readings = LossCurveCallback(
        folder / "curves.jsonl",
        training_objective.num_choices,
        validate,
        step_done,
        training_objective.divergence_factor,
    )
    progress = ProgressCallback(readings, rows.tokens * settings.epochs)
    keeps_best = settings.keep == "best" and bool(rows.validation)
    best_weights = (
        BestWeightsCallback(model, folder, readings, settings.patience) if keeps_best else None
    )
    callbacks = [readings, progress, *([best_weights] if best_weights else [])]
    checkpoint_folder = folder / "checkpoints"
    trainer = LengthGroupedTrainer(
        model,
        training_objective.train,
        settings,
        checkpoint_folder,
        training_objective.collate,
        callbacks,
        training_objective.loss,
    )
    return readings, progress, trainer, best_weights


def seed_and_threads(settings: Settings) -> None:
    if settings.threads:
        torch.set_num_threads(settings.threads)
    set_seed(settings.seed)


def _check_finite(model: Any) -> None:
    weights = [p for p in model.parameters() if p.requires_grad]
    if not all(bool(torch.isfinite(ranks.full_tensor(p)).all()) for p in weights):
        raise TrainingFailed("the trained weights are not numbers: lower `learning_rate`")


def _trained_result(job: TrainingJob) -> Trained:
    figures = json.loads((job.folder / "figures.json").read_bytes())
    curves.end_curves(
        job.folder, figures.get("kept_step", figures["steps"])
    )  # nothing is resumed now
    is_full = job.settings.method == "full"
    folder, tuned = (job.model_folder, None) if is_full else (job.base_folder, job.model_folder)
    model_sha = model_digest(folder, tuned, job.settings.decoding)
    return Trained(f"folder:{job.model_folder.name}", model_sha, figures)
