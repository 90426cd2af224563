"""One training, from the plan to a model on disk that was read back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tunegate.config.settings import parse_settings
from tunegate.interfaces.trainer import Plan, TrainingFailed

from ..config.settings import Settings
from ..model import base, methods


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
