"""Redact, de-duplicate and tidy data, and write down each change.

Without FILE the configured splits are fixed, training first. Exit status: 0 everything was put
right, 1 something is left for a person, 2 a mistake.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path

from tunegate.errors import ConfigError
from tunegate.utils.text import did_you_mean

from .changes import STEPS


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="FILE", help="default: the configured splits")
    add("-o", "--out", type=Path, required=True, help="a file; a folder where there is no FILE")
    add("--against", type=Path, action="append", default=[], metavar="FILE",
        help="a split that keeps its rows (training first); again for more")  # fmt: skip
    add("--only", metavar="STEPS", help="of format,redact,labels,duplicates,leaks; default: all")
    add("--columns", metavar="MAP", help="of CSV or Parquet: prompt=COLUMN,reply=COLUMN")
    add("--force", action="store_true", help="replace files that are there")


def run(args: argparse.Namespace) -> int:
    """Fix the files, write results and changes, and say what was done; return the exit status."""
    from tunegate.config.project import find_root
    from tunegate.config.schema import load

    from .pipeline import fix_files

    root = find_root(Path.cwd())
    config = load(root) if root else None
    steps, columns = chosen_steps(args.only), column_mapping(args.columns)
    result = fix_files(args.file, args.out, args.against, steps, columns, config, root, args.force)
    print("\n".join(result.lines()))
    return int(result.has_unresolved)


# [merged] What the command line says: steps and columns, each as a list.


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
