"""What a machine does that joins a training: check that it can, and run its workers."""

from __future__ import annotations

from pathlib import Path

from tunegate.protocols import Plan, TrainingFailed

from . import accelerated, launch, preflight, shape, training
from .failures import one_line_errors
from .progress import print_line


def join_training(plan: Plan, folder: Path, machine: int) -> None:
    """Train along as this machine, until the training ends; raise TrainingFailed."""
    if problems := preflight.find_problems(plan):
        raise TrainingFailed("not started\n" + "\n".join(f"  - {p.what}" for p in problems))
    job = training.make_job(plan, folder)
    with one_line_errors(job.settings):
        accelerated.write_config(job.settings, shape.decoder_layer_class(job.base_folder), folder)
        print_line(
            f"machine {machine} of {job.settings.machines}; {job.settings.address} leads", "joining"
        )
        launch.run_workers(job, machine, {})
