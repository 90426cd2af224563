"""What the command line says: steps and columns, each as a list."""

from __future__ import annotations

from collections.abc import Collection

from tunegate.project import ConfigError, nearest

from .work import STEPS


def chosen(only: str | None) -> Collection[str]:
    """Return the steps named in `--only`, or all; raises ConfigError naming the valid ones."""
    if only is None:
        return STEPS
    named = [name.strip() for name in only.split(",")]
    for name in named:
        if name not in STEPS:
            near = nearest(name, list(STEPS))
            raise ConfigError(f"--only: no step {name!r}{near}; steps: {', '.join(STEPS)}")
    return named


def mapping(said: str | None) -> dict[str, str]:
    """Return `--columns prompt=text,reply=category` as a mapping; raises ConfigError."""
    pairs = [pair.partition("=") for pair in said.split(",")] if said else []
    if not all(field.strip() and column.strip() for field, _, column in pairs):
        raise ConfigError(f"--columns {said!r}: write prompt=COLUMN,reply=COLUMN")
    return {field.strip(): column.strip() for field, _, column in pairs}
