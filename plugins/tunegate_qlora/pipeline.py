"""Train one run: from its plan to a model on disk, with a model card, that was read back."""

import gc
import json
import shutil
from dataclasses import replace
from pathlib import Path

from tunegate.interfaces.trainer import Plan, Trained
from tunegate.utils.files import atomic_folder

from . import model_card
from .data import training_data
from .distributed import launch
from .model.local_model import model_digest
from .runtime.libraries import one_line_errors
from .training import callbacks, learn, loss


def train_plan(plan: Plan, folder: Path, *, checkpointing: bool = False) -> Trained:
    """Train the plan into the run's folder, or go on where an earlier attempt was killed.

    The folder then holds `adapter/` or `model/`, `curves.jsonl` and `figures.json`. A run that has
    its model is not trained again. `checkpointing` computes activations twice, though the settings
    do not say so. Raises TrainingFailed with one message for every error below.
    """
    with one_line_errors(plan.config):
        job = training_data.make_job(plan, folder)
        if checkpointing:
            changed = job.settings.model_copy(update={"gradient_checkpointing": True})
            job = replace(job, settings=changed)
        if not job.model_folder.is_dir():
            train_job(job)
        figures = json.loads((folder / "figures.json").read_bytes())
        # Whoever reads the curves judges the weights that were kept: the curves end with these.
        callbacks.end_curves(folder, figures.get("kept_step", figures["steps"]))
        is_full = job.settings.method == "full"
        base, adapter = (job.model_folder, None) if is_full else (job.base_folder, job.model_folder)
        digest = model_digest(base, adapter, job.settings.decoding, plan.root)
        return Trained(f"folder:{job.model_folder.name}", digest, figures)


def train_job(job: training_data.TrainingJob) -> None:
    """Learn, save, read back and describe the model of one run; it appears whole or not at all."""
    settings, base_folder = job.settings, job.base_folder

    # Workers of an attempt that was killed may still write into this folder: wait until they have
    # ended, before anything in it is read or removed.
    if settings.world_size > 1:
        launch.wait_for_workers(job.folder / "workers", range(settings.processes))

    # The same seed, rows and number of threads give the same weights, bit for bit.
    learn.seed_and_threads(settings)
    rows = training_data.load_training_data(job)

    with atomic_folder(job.model_folder) as draft:
        # Go on from the newest checkpoint that is whole.
        checkpoint = callbacks.newest_whole(job.folder)

        # Learn: in this process, or in several that this one starts and waits for. Either writes
        # the model into the draft, and returns figures with the losses of the model in memory.
        if settings.world_size == 1:
            figures = learn.learn(job, rows, draft, checkpoint)
        else:
            figures = launch.learn_with_workers(job, draft, checkpoint)

        # Verify: read the model back from disk and compare its losses with those in memory. The
        # trained model and the one that is read back need not be in memory at once.
        gc.collect()
        figures |= loss.verify_saved(draft, base_folder, settings, rows, figures)
        callbacks.print_proof(figures, len(loss.sample_rows(rows)))

        # The card holds the figures, so they are written first.
        (job.folder / "figures.json").write_text(json.dumps(figures, indent=1))
        model_card.write_card(draft, job)

    # The model is in its place: nothing resumes this training any more.
    for name in ("checkpoints", "best"):
        shutil.rmtree(job.folder / name, ignore_errors=True)
