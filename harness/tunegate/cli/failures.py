"""Write what a run's model got wrong on the test set, as a dataset.

$ tunegate failures latest -o failures.jsonl
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..config.project import current_project
from ..data.dataset import Dataset
from ..errors import ConfigError
from ..models.predict import cached_predictions
from ..results.labels import LabelRule
from ..storage.run import find_finished
from ..storage.seal import SealBroken
from ..storage.state_dir import StateDir
from ..utils.atomic import atomic_write
from ..utils.masking import hide_values


def write_failures(
    state: StateDir, name: str, out: Path, test: Dataset, rule: LabelRule, *, masked: bool = True
) -> tuple[int, int]:
    """Write the wrong answers of a run on a test set; return how many, and of how many answers.

    The answers come from the cache; no request is sent. Each row holds the fields of the example
    (`messages` with the reply that was expected), `line`, `got`, and what there is of `got_calls`,
    `reasoning` and `error`. With `masked`, private values in its texts are. Raises ConfigError
    where there is no such run, or its answers are not cached.
    """
    run = find_finished(state, name)
    try:
        predictions = cached_predictions(f"run:{run.id}", str(run.record["digest"]), test, state)
    except SealBroken as error:
        raise ConfigError(str(error)) from None
    if predictions is None:
        raise ConfigError(
            f"run {run.id} was never asked about {test.path}: "
            f"pytest suites/model --model run:{run.id}"
        )
    wrong = []
    for p in predictions:
        if not rule.right(p):
            row = {**test[p.row].fields, "got": p.got, "line": p.line}
            row |= {k: v for k in ("error", "reasoning") if (v := getattr(p, k))}
            row |= {"got_calls": json.loads(p.calls)} if p.calls else {}
            wrong.append(hide_values(row) if masked else row)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in wrong)
    atomic_write(out, text.encode(), mode=0o600)
    return len(wrong), len(predictions)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", default="latest", metavar="RUN", help="default: latest")
    parser.add_argument("-o", "--out", type=Path, default=Path("failures.jsonl"), metavar="FILE")
    parser.add_argument("--unmasked", action="store_true", help="with private values as they are")
    parser.add_argument("--test-data", metavar="FILE", help="default: the configured test split")


def run(args: argparse.Namespace) -> None:
    """Write the rows and print how many there are, and that they must not be trained on."""
    from ..config.data_files import find_data_files
    from ..config.schema import load

    root = current_project()
    config = load(root)
    test = find_data_files(config, root, {"test": args.test_data}, Path.cwd()).get("test")
    rule = config.label_rule
    wrong_count, n = write_failures(
        StateDir(root), args.run, args.out, test, rule, masked=not args.unmasked
    )
    print(f"{wrong_count:,} of {n:,} answers were wrong: {args.out}")
    if wrong_count:
        print("These rows are test rows. Write new ones like them to train on; one that goes into")
        print("training must leave the test set, or the leakage check closes the gate.")
