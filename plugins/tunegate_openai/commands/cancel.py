"""End the job of a run at its provider."""

from __future__ import annotations

import argparse

from . import job


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("run", metavar="RUN", help="its id, or the beginning of it")
    parser.set_defaults(attach=None, forget=False, pause=False, unpause=False, cancel=True)


def run(args: argparse.Namespace) -> None:
    """Ask the provider to end it; what it has trained so far may still be charged."""
    job.run(args)
