"""One training, from the plan to a model on disk that was read back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import set_seed

from tunegate.interfaces.trainer import TrainingFailed

from ..config.settings import Settings
from ..data.training_data import TrainingData
from ..model import base, chat_template, methods
from ..model.metadata import ModelMetadata
from ..runtime import process_group
from ..runtime.console import print_line
from . import checkpoints, objective, summary, verify
from .best_weights import BestWeightsCallback
from .loop import LengthGroupedTrainer
from .loss_curves import LossCurveCallback
from .objective import Objective
from .progress_bar import ProgressCallback

if TYPE_CHECKING:
    from .job import TrainingJob


PATHS = ("train", "validation", "test", "root")  # of a plan


def learn(
    job: TrainingJob, rows: TrainingData, draft: Path, checkpoint: Path | None
) -> summary.Figures:
    """Train, from a checkpoint on if there is one; write the model into the draft, return figures.

    Several processes do so at once; the first writes.
    """
    settings = job.settings
    model = methods.load_trainable(job.base_folder, settings)
    parameters = methods.count_parameters(model)
    summary.print_start(settings, rows, parameters)
    padding = summary.print_padding(settings, rows)
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
    figures = summary.print_figures(readings, trainer.state, rows, parameters, settings) | padding
    figures |= summary.print_rewards(training_objective.figures(), rows)
    methods.save_trained(model, draft, job.base_folder, settings, _model_metadata(job, rows))
    methods.round_to_saved_dtype(model, job.base_folder, settings)
    figures |= verify.prefix_keys(verify.measure_loss(model, rows, settings), "in_memory")
    return figures


def _model_metadata(job: TrainingJob, rows: TrainingData) -> ModelMetadata:
    return ModelMetadata(
        job.settings.base, base.base_digest(job.base_folder), job.settings.decoding,
        chat_template.template_text_of(job.base_folder), chat_template.render_probe(rows.chat_template),
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
    if not all(bool(torch.isfinite(process_group.full_tensor(p)).all()) for p in weights):
        raise TrainingFailed("the trained weights are not numbers: lower `learning_rate`")
