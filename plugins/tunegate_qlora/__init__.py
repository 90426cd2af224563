"""Local fine-tuning and local models: registers a trainer and a kind of model."""

from collections.abc import Callable
from typing import Any


def pytest_tunegate_trainers(register: Callable[..., Any]) -> None:
    """Register the trainer `qlora`."""
    from .trainer import QLoRATrainer

    register(QLoRATrainer)


def pytest_tunegate_models(register: Callable[..., Any]) -> None:
    """Register `folder:PATH`: a local model, or an adapter with the base it was trained on."""
    from .model.local_model import open_folder

    register("folder", open_folder)
