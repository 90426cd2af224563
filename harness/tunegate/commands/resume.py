"""Take up a training that was interrupted, here or on another machine."""

from __future__ import annotations

import argparse

from ..project import here


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("run", metavar="RUN", help="its id, or the beginning of it")


def run(args: argparse.Namespace) -> int:
    """Train on, from the receipt and the snapshots that the run's folder names."""
    from ..runs import begun
    from ..state import State
    from ..training import child

    found = begun(State(here()), args.run)
    code = 0 if found.finished else child(found)
    if not code:
        print(f"run {found.id} is finished: pytest suites/model --model run:{found.id}")
    return code
