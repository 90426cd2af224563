"""Train the weights of one job: model, objective, loop, best weights, figures, files."""

from contextlib import closing
from pathlib import Path

import torch
from transformers import set_seed

from tunegate.interfaces.trainer import TrainingFailed

from ..config import Settings
from ..data.training_data import TrainingData, TrainingJob
from ..model import weights
from ..model.metadata import metadata_of
from ..runtime import process_group
from . import checkpoints, progress, verify
from .loop import LengthGroupedTrainer
from .loss import make_objective
from .loss_curves import LossCurveCallback


def learn(
    job: TrainingJob, rows: TrainingData, draft: Path, checkpoint: Path | None
) -> progress.Figures:
    """Train the job's model, from a checkpoint on if there is one, and save it into the draft.

    In a distributed training every process calls this with its own copy of the arguments; the main
    process alone prints and writes. Returns the figures of the training, with the losses of the
    model in memory (`loss_in_memory`). Raises TrainingFailed where a loss or weight is no finite
    number, or packed rows are not kept apart.
    """
    settings, folder = job.settings, job.folder
    steps_done = checkpoints.step_of(checkpoint)

    # The model: the base, with the weights that `method` trains. They are drawn from the seed.
    model = weights.load_trainable(job.base_folder, settings)
    parameters = weights.count_parameters(model)
    padding = progress.print_start(settings, rows, parameters)

    # The objective, made before a checkpoint is loaded, while the model still answers as its base
    # does: DPO takes its reference from it, and packing is tested on it.
    objective = make_objective(model, rows, settings)
    if checkpoint:
        process_group.print_line(f"going on from step {steps_done:,}")

    # The callbacks, in the order in which the Trainer calls them. The curves come first: they
    # measure the validation loss, which the other two read.
    curves = LossCurveCallback(
        folder / "curves.jsonl", objective.num_choices,
        objective.validate if rows.validation else None, steps_done, objective.divergence_factor,
    )  # fmt: skip
    display = progress.ProgressCallback(curves, rows.tokens * settings.epochs)
    best = None
    if settings.keep == "best" and rows.validation:
        best = checkpoints.BestWeightsCallback(model, folder, curves, settings.patience)

    # The loop itself is transformers' Trainer; it restores optimiser, schedule and random numbers
    # from the checkpoint, and so ends with the weights of a training that was never interrupted.
    callbacks = [curves, display, *([best] if best else [])]
    trainer = LengthGroupedTrainer(
        model, objective.train, settings, folder / "checkpoints",
        collate=objective.collate, callbacks=callbacks, loss_function=objective.loss,
    )  # fmt: skip
    with closing(display.bar):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    # The weights that are kept: those of the last step, or of the epoch with the best validation
    # loss. The loop looks at losses only at every so many steps, so the weights are checked here.
    if best and trainer.state.best_global_step not in (None, trainer.state.global_step):
        best.restore(trainer.state.best_global_step)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    if not all(bool(torch.isfinite(process_group.full_tensor(w)).all()) for w in trained):
        raise TrainingFailed("the trained weights are not numbers: lower `learning_rate`")
    figures = progress.print_figures(
        curves, trainer.state, rows, parameters, settings, {**padding, **objective.figures()}
    )

    # The files, and then the loss of the model as they hold it: it is what the model has to have
    # when it is read back from disk.
    metadata = metadata_of(settings, job.base_folder, rows.chat_template)
    weights.save_trained(model, draft, job.base_folder, settings, metadata)
    weights.round_to_saved_dtype(model, job.base_folder, settings)
    losses = verify.measure_loss(model, rows, settings)
    return figures | verify.prefix_keys(losses, verify.IN_MEMORY)


def seed_and_threads(settings: Settings) -> None:
    """Seed Python, NumPy and PyTorch before anything is drawn; set the CPU threads, if given."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    set_seed(settings.seed)
