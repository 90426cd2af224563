"""Write what a run's model got wrong on the test set, as a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..project import here


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("run", nargs="?", default="latest", metavar="RUN", help="default: latest")
    parser.add_argument("-o", "--out", type=Path, default=Path("failures.jsonl"), metavar="FILE")
    parser.add_argument("--test-data", metavar="FILE", help="default: the configured test split")


def run(args: argparse.Namespace) -> None:
    """Write the rows; say how many, and what they must not be used for."""
    from ..config import load
    from ..extraction import rule
    from ..failures import write
    from ..splits import locate
    from ..state import State

    root = here()
    config = load(root)
    test = locate(config, root, {"test": args.test_data}, Path.cwd()).get("test")
    wrong, n = write(State(root), args.run, args.out, test, rule(config.label))
    print(f"{wrong:,} of {n:,} answers were wrong: {args.out}")
    if wrong:
        print("These rows are test rows. Write new ones like them to train on; one that goes into")
        print("training must leave the test set, or the leakage check closes the gate.")
