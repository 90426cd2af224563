"""Write what a run's model got wrong on the test set, as a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..project import current_project


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("run", nargs="?", default="latest", metavar="RUN", help="default: latest")
    parser.add_argument("-o", "--out", type=Path, default=Path("failures.jsonl"), metavar="FILE")
    parser.add_argument("--test-data", metavar="FILE", help="default: the configured test split")


def run(args: argparse.Namespace) -> None:
    """Write the rows; say how many, and what they must not be used for."""
    from ..config import load
    from ..extraction import label_rule
    from ..failures import write_failures
    from ..splits import find_data_files
    from ..state import StateDir

    root = current_project()
    config = load(root)
    test = find_data_files(config, root, {"test": args.test_data}, Path.cwd()).get("test")
    wrong_count, n = write_failures(
        StateDir(root), args.run, args.out, test, label_rule(config.label)
    )
    print(f"{wrong_count:,} of {n:,} answers were wrong: {args.out}")
    if wrong_count:
        print("These rows are test rows. Write new ones like them to train on; one that goes into")
        print("training must leave the test set, or the leakage check closes the gate.")
