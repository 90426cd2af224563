"""What the command line says: steps and columns, each as a list."""

from __future__ import annotations

from collections.abc import Collection

from tunegate.project import ConfigError, did_you_mean

from .work import STEPS


def chosen_steps(only: str | None) -> Collection[str]:
    """Return the steps named in `--only`, or all; raises ConfigError naming the valid ones."""
    if only is None:
        return STEPS
    names = [name.strip() for name in only.split(",")]
    for name in names:
        if name not in STEPS:
            suggestion = did_you_mean(name, list(STEPS))
            raise ConfigError(f"--only: no step {name!r}{suggestion}; steps: {', '.join(STEPS)}")
    return names


def column_mapping(option: str | None) -> dict[str, str]:
    """Return `--columns prompt=text,reply=category` as a mapping; raises ConfigError."""
    pairs = [pair.partition("=") for pair in option.split(",")] if option else []
    if not all(field.strip() and column.strip() for field, _, column in pairs):
        raise ConfigError(f"--columns {option!r}: write prompt=COLUMN,reply=COLUMN")
    return {field.strip(): column.strip() for field, _, column in pairs}
