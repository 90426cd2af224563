"""Remove a snapshot, and the answers to its prompts."""

from __future__ import annotations

import argparse

from ..project import ConfigError, here


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("digest", metavar="DIGEST", help="the beginning of the dataset's sha256")


def run(args: argparse.Namespace) -> None:
    """Remove the data and say what is gone."""
    from ..purge import NoSnapshot, purge
    from ..state import State

    try:
        path, answers = purge(State(here()), args.digest)
    except NoSnapshot as error:
        raise ConfigError(str(error)) from None
    print(f"removed {path.name} and {answers:,} answers to its prompts")
