"""Fine-tuning over the OpenAI protocol: what the plugin tells tunegate it has."""

from collections.abc import Callable
from typing import Any


def pytest_tunegate_trainers(register: Callable[..., Any]) -> None:
    """Offer the trainer `openai`, for OpenAI, Azure, and every provider of the same protocol."""
    from .trainer import OpenAITrainer

    register(OpenAITrainer)
