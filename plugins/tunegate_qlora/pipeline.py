"""One training, from the plan to a model on disk that was read back."""

from __future__ import annotations

import gc
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tunegate.config.settings import parse_settings
from tunegate.interfaces.trainer import Plan, Trained
from tunegate.utils.atomic import atomic_folder

from . import model_card
from .config.settings import Settings
from .data import training_data
from .distributed import launch
from .model.local_model import model_digest
from .runtime.errors import one_line_errors
from .training import best_weights as best
from .training import checkpoints, loss_curves, summary, verify
from .training.job import make_job
from .training.learn import learn, seed_and_threads

if TYPE_CHECKING:
    from .training.job import TrainingJob


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


def _train_job(job: TrainingJob) -> None:
    launch.wait_for_old_workers(job)  # before anything of theirs is looked at, or cleared away
    seed_and_threads(job.settings)
    rows = training_data.load_training_data(job.plan, job.settings, job.base_folder)
    with atomic_folder(job.model_folder) as draft:
        checkpoint = _resume_checkpoint(job)
        is_single_process = job.settings.world_size == 1
        figures = (
            learn(job, rows, draft, checkpoint)
            if is_single_process
            else launch.learn_with_workers(job, draft, checkpoint)
        )
        gc.collect()  # the trained model makes room for the one that is read back
        memory_losses = verify.losses_in_memory(figures)
        figures |= verify.verify_saved(draft, job.base_folder, job.settings, rows, memory_losses)
        summary.print_proof(figures, len(verify.sample_rows(rows)))
        (job.folder / "figures.json").write_text(json.dumps(figures, indent=1))
        model_card.write_card(draft, job.plan, job.folder, job.base_folder)
    for name in ("checkpoints", "best"):  # nothing is left to go on with
        shutil.rmtree(job.folder / name, ignore_errors=True)


def _resume_checkpoint(job: TrainingJob) -> Path | None:
    """Return the checkpoint to go on from, with the best weights that it may have to end with."""
    folder = job.folder / "checkpoints"
    while (checkpoint := checkpoints.newest_whole(folder)) and not best.is_restorable(
        job.folder, checkpoint
    ):
        shutil.rmtree(checkpoint)
    return checkpoint


def _trained_result(job: TrainingJob) -> Trained:
    figures = json.loads((job.folder / "figures.json").read_bytes())
    loss_curves.end_curves(
        job.folder, figures.get("kept_step", figures["steps"])
    )  # nothing is resumed now
    is_full = job.settings.method == "full"
    folder, tuned = (job.model_folder, None) if is_full else (job.base_folder, job.model_folder)
    model_sha = model_digest(folder, tuned, job.settings.decoding)
    return Trained(f"folder:{job.model_folder.name}", model_sha, figures)
