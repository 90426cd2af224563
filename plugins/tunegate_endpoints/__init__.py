"""Models behind an HTTP endpoint: what the plugin tells tunegate it has."""

from collections.abc import Callable
from typing import Any


def pytest_tunegate_models(register: Callable[..., Any]) -> None:
    """Offer `openai:NAME` (any server that speaks its protocol) and `anthropic:NAME`."""
    from .model import open_anthropic, open_openai

    register("openai", open_openai)
    register("anthropic", open_anthropic)
