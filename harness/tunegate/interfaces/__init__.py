"""What the author of a trainer or a model implements, and how installed ones are found.

Mark each hook `@pytest.hookimpl(optionalhook=True)`: pytest then also starts without tunegate.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .model import Answer, Budget, Model, ModelUnknown, PricedModel, Request
from .trainer import Plan, Problem, Trained, Trainer, TrainingFailed

__all__ = ["Answer", "Budget", "Model", "ModelUnknown", "Plan", "PricedModel", "Problem"]
__all__ += ["Request", "Trained", "Trainer", "TrainingFailed"]


def pytest_tunegate_trainers(register: Callable[[type[Trainer]], Any]) -> None:
    """Call `register(YourTrainer)`: a class, made without arguments, that `--train-with` names."""


def pytest_tunegate_models(register: Callable[[str, Callable[[str, Path], Model]], Any]) -> None:
    """Call `register("scheme", opener)`: `--model scheme:REST` becomes `opener(REST, root)`."""
