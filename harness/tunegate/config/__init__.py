"""Finds the project, and reads and validates tunegate.toml."""

from ..moved import moved_error


def __getattr__(name: str) -> object:
    if name == "Limits":  # stood in `tunegate.config` when that was a module
        raise moved_error("tunegate.config.Limits")
    raise AttributeError(f"module 'tunegate.config' has no attribute {name!r}")
