"""Libraries that not everybody needs: one clear line where one is missing."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any


class Missing(ImportError):
    """A library is not installed; the message says how to install it."""


def install(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'tunegate[{extra}]'"


def needed(module: str, extra: str) -> Any:
    """Return a module that comes with an extra; raises Missing, which says how to install it."""
    __tracebackhide__ = True
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        absent = error.name or module
        raise Missing(f"{absent} is not installed: {install(extra)}") from None


def missing(who: str, extra: str, *modules: str) -> str:
    """Return one line naming the modules that are not installed, "" where all are.

    Nothing is imported: modules are top-level ones.
    """
    absent = [name for name in modules if find_spec(name) is None]
    return f"{who} needs {', '.join(absent)}: {install(extra)}" if absent else ""
