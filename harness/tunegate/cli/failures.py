"""Write what a model got wrong on the test set as a dataset.

$ tunegate failures latest -o failures.jsonl
$ tunegate failures openai:gpt-4o-mini
"""

import argparse
import json
from pathlib import Path

from ..config.data_files import find_data_files
from ..config.project import current_project
from ..config.schema import load
from ..data.dataset import Dataset
from ..models.evaluation import find_judged, judged_answers
from ..results.labels import LabelRule
from ..storage.state_dir import StateDir
from ..utils.files import atomic_write
from ..utils.masking import add_json_option, hide_values, print_result


def write_failures(
    state: StateDir, name: str, out: Path, test: Dataset, rule: LabelRule, *, masked: bool = True
) -> tuple[int, int, int]:
    """Write the rows that a run, or a model without one, got wrong on a test set.

    Returns how many, of how many, and how often each was asked. The answers are those that are
    kept; no request is sent. Each row holds the fields of the example (`messages` with the reply
    that was expected), `line`, `got` (the first wrong answer), what there is of `got_calls`,
    `reasoning` and `error`, and where it was asked several times `right`, such as "2 of 5". With
    `masked`, private values in its texts are. Raises ConfigError for no such model, or no answers.
    """
    predictions = judged_answers(find_judged(state, name), test)
    wrong, rounds = [], predictions.repetitions or (predictions,)
    for answers in zip(*rounds, strict=True):
        if misses := [p for p in answers if not rule.right(p)]:
            p = misses[0]
            row = {**test[p.row].fields, "got": p.got, "line": p.line}
            row |= {k: v for k in ("error", "reasoning") if (v := getattr(p, k))}
            row |= {"got_calls": json.loads(p.calls)} if p.calls else {}
            if len(rounds) > 1:
                row["right"] = f"{len(rounds) - len(misses)} of {len(rounds)}"
            wrong.append(hide_values(row) if masked else row)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in wrong)
    atomic_write(out, text.encode(), mode=0o600)
    return len(wrong), len(predictions), len(rounds)


def arguments(parser: argparse.ArgumentParser) -> None:
    add, run_help = parser.add_argument, "a run, or the spec of a model; default: latest"
    add("run", nargs="?", default="latest", metavar="RUN", help=run_help)
    add("-o", "--out", type=Path, default=Path("failures.jsonl"), metavar="FILE")
    add("--unmasked", action="store_true", help="with private values as they are")
    add("--test-data", metavar="FILE", help="default: the configured test split")
    add_json_option(parser)


def run(args: argparse.Namespace) -> None:
    """Write the rows and print how many there are, and that they must not be trained on."""
    root = current_project()
    config = load(root)
    test = find_data_files(config, root, {"test": args.test_data}, Path.cwd()).get("test")
    parts = StateDir(root), args.run, args.out, test, config.label_rule
    wrong_count, n, times = write_failures(*parts, masked=not args.unmasked)
    of_several = f"rows were wrong in at least one of {times} answers"
    what = "answers were wrong" if times == 1 else of_several
    lines = [f"{wrong_count:,} of {n:,} {what}: {args.out}"]
    if wrong_count:
        lines += [
            "These rows are test rows. Write new ones like them to train on; one that goes",
            "into training must leave the test set, or the leakage check closes the gate.",
        ]
    print_result(args.json, {"path": args.out, "wrong": wrong_count, "n": n, "times": times}, lines)
