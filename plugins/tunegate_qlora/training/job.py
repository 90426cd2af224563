"""The input of one training: its plan, checked settings and folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tunegate.config.settings import parse_settings
from tunegate.interfaces.trainer import Plan, TrainingFailed

from ..config.settings import Settings
from ..model import base, methods


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A plan with its settings as an object, the folder of its base, and the run's folder."""

    plan: Plan
    settings: Settings
    base_folder: Path
    folder: Path

    @property
    def model_folder(self) -> Path:
        """The folder in the run that the trained model is written to."""
        return self.folder / methods.output_name(self.settings)


def make_job(plan: Plan, folder: Path) -> TrainingJob:
    """Return the job of a plan, to be trained into the run's folder.

    Raises ValueError where the base is not found, TrainingFailed where its files are not those that
    the gate was opened for.
    """
    settings = parse_settings(Settings, plan.config)
    base_folder = base.locate_base(settings.base, plan.root)
    if plan.base_digest and base.base_digest(base_folder) != plan.base_digest:
        raise TrainingFailed(
            f"the base in {base_folder} has changed since this run was planned: plan it again"
        )
    return TrainingJob(plan, settings, base_folder, folder)
