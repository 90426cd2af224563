"""The hooks of tunegate, on pytest's own plugin manager; mark yours `optionalhook=True`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .model import Model
from .trainer import Trainer


def pytest_tunegate_trainers(register: Callable[[type[Trainer]], Any]) -> None:
    """Call `register(YourTrainer)`: a class, made without arguments, that `--train-with` names."""


def pytest_tunegate_models(
    register: Callable[[str, Callable[[str, Path], Model]], Any],
) -> None:
    """Call `register("scheme", opener)`: `--model scheme:REST` becomes `opener(REST, root)`."""
