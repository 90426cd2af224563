"""What a machine does that joins a training: check that it can, and run its workers."""

from __future__ import annotations

from pathlib import Path

from tunegate.protocols import Plan, TrainingFailed

from . import accelerated, launch, preflight, shape, training
from .failures import in_one_message
from .progress import say


def join(plan: Plan, folder: Path, machine: int) -> None:
    """Train along as this machine, until the training ends; raise TrainingFailed."""
    if found := preflight.problems(plan):
        raise TrainingFailed("not started\n" + "\n".join(f"  - {p.what}" for p in found))
    job = training.prepared(plan, folder)
    with in_one_message(job.settings):
        accelerated.write(job.settings, shape.decoder(job.base), folder)
        say(
            f"machine {machine} of {job.settings.machines}; {job.settings.address} leads", "joining"
        )
        launch.start(job, machine, {})
