"""Programs in any language as models: what the plugin tells tunegate it has."""

from collections.abc import Callable
from typing import Any


def pytest_tunegate_models(register: Callable[..., Any]) -> None:
    """Offer `program:NAME`, the command of `[models.NAME]`."""
    from .model import open_program

    register("program", open_program)
