"""What a model got wrong, as a dataset: to be looked at, labelled anew, and learnt from."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..config.project import current_project
from ..data.dataset import Dataset, Example
from ..errors import ConfigError
from ..models.predict import cached_predictions
from ..results.labels import LabelRule
from ..results.prediction import Prediction
from ..storage import run as runs
from ..storage.run import RunNotFound
from ..storage.seal import SealBroken
from ..storage.state_dir import StateDir
from ..utils.atomic import atomic_write


def write_failures(
    state: StateDir, name: str, out: Path, test: Dataset, rule: LabelRule
) -> tuple[int, int]:
    """Write the wrong answers of a run over this test set; returns how many, and of how many.

    They come from the cache: nothing is asked. Each row is the example as it stands (`messages`
    with the reply that was expected), with `got`, `line`, and `error` where there was no answer.
    Raises ConfigError where there is no such run, or it was never judged on this test set.
    """
    try:
        run = runs.find_finished(state, name.removeprefix("run:"))
        predictions = cached_predictions(f"run:{run.id}", str(run.record["digest"]), test, state)
    except (RunNotFound, SealBroken) as error:
        raise ConfigError(str(error)) from None
    if predictions is None:
        raise ConfigError(
            f"run {run.id} was never asked about {test.path}: "
            f"pytest suites/model --model run:{run.id}"
        )
    wrong = [_failure_row(test[p.row], p) for p in predictions if not rule.right(p)]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in wrong)
    atomic_write(out, text.encode(), mode=0o600)
    return len(wrong), len(predictions)


def _failure_row(example: Example, p: Prediction) -> dict[str, Any]:
    row = {**example.fields, "got": p.got, "line": p.line}
    return {**row, "error": p.error} if p.error else row


# [merged] Write what a run's model got wrong on the test set, as a dataset.


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("run", nargs="?", default="latest", metavar="RUN", help="default: latest")
    parser.add_argument("-o", "--out", type=Path, default=Path("failures.jsonl"), metavar="FILE")
    parser.add_argument("--test-data", metavar="FILE", help="default: the configured test split")


def run(args: argparse.Namespace) -> None:
    """Write the rows; say how many, and what they must not be used for."""
    from ..config.data_files import find_data_files
    from ..config.schema import load
    from ..results.labels import label_rule
    from ..storage.state_dir import StateDir

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
