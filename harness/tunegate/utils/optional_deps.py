"""Imports libraries that come with an extra, or says in one line which extra is missing."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any


class MissingDependency(ImportError):
    """A library is not installed; the message says how to install it."""


def install_command(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'tunegate[{extra}]'"


def require(module: str, extra: str) -> Any:
    """Return a module that comes with an extra; raises MissingDependency."""
    __tracebackhide__ = True
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        absent = error.name or module
        raise MissingDependency(f"{absent} is not installed: {install_command(extra)}") from None


def missing_packages(feature: str, extra: str, *modules: str) -> str:
    """Return one line naming the top-level modules that are not installed, "" for none."""
    absent = [name for name in modules if find_spec(name) is None]
    return f"{feature} needs {', '.join(absent)}: {install_command(extra)}" if absent else ""
