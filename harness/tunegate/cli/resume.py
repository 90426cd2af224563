"""Take up an interrupted training, here or on another machine.

$ tunegate run resume 3fa9c1
"""

import argparse

from ..config.project import current_project
from ..gates.training_process import train_in_child
from ..storage.state_dir import StateDir, find_started


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="its id, or the beginning of it")


def run(args: argparse.Namespace) -> int:
    """Continue the training from the receipt and the snapshots that the run's folder names."""
    started = find_started(StateDir(current_project()), args.run)
    code = 0 if started.finished else train_in_child(started)
    if not code:
        print(f"run {started.id} is finished: pytest suites/model --model run:{started.id}")
    return code
