"""Remove a snapshot, and the answers to its prompts."""

from __future__ import annotations

import argparse

from ..project import ConfigError, current_project


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("digest", metavar="DIGEST", help="the beginning of the dataset's sha256")


def run(args: argparse.Namespace) -> None:
    """Remove the data and say what is gone."""
    from ..purge import SnapshotNotFound, purge_snapshot
    from ..state import StateDir

    try:
        path, answers = purge_snapshot(StateDir(current_project()), args.digest)
    except SnapshotNotFound as error:
        raise ConfigError(str(error)) from None
    print(f"removed {path.name} and {answers:,} answers to its prompts")
