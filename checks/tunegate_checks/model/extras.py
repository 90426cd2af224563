"""Libraries that not everybody needs: one clear line where one is missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Missing(ImportError):
    """A library that a check needs is not installed; the message says how to install it."""


def needed(module: str, extra: str) -> Any:
    """Return a module that comes with an extra; raises Missing, which says how to install it."""
    __tracebackhide__ = True
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        absent = error.name or module
        raise Missing(f"{absent} is not installed: pip install 'tunegate[{extra}]'") from None
