"""Fine-tuning over the OpenAI protocol: what the plugin tells tunegate it has."""

from collections.abc import Callable
from typing import Any

Register = Callable[..., Any]


def pytest_tunegate_trainers(register: Register) -> None:
    """Offer the trainer `openai`, for OpenAI, Azure, and every provider of the same protocol."""
    from .trainer import OpenAITrainer

    register(OpenAITrainer)
