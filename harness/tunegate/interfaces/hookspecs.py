"""The two hooks of tunegate, on pytest's plugin manager.

Mark each `@pytest.hookimpl(optionalhook=True)`: pytest then also starts without tunegate.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .model import Model
from .trainer import Trainer


def pytest_tunegate_trainers(register: Callable[[type[Trainer]], Any]) -> None:
    """Call `register(YourTrainer)`: a class, made without arguments, that `--train-with` names."""


def pytest_tunegate_models(register: Callable[[str, Callable[[str, Path], Model]], Any]) -> None:
    """Call `register("scheme", opener)`: `--model scheme:REST` becomes `opener(REST, root)`."""
