"""Copy the suites and a commented configuration into a project."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..init import create_project


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="FOLDER")


def run(args: argparse.Namespace) -> None:
    """Copy what is missing; say what was written and what was kept."""
    args.folder.mkdir(parents=True, exist_ok=True)
    print("\n".join(create_project(args.folder.resolve())))
    print("\nnext   write the paths of your data into tunegate.toml, then: pytest suites/data")
