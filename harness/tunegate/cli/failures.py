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
from ..data.clusters import cluster_texts
from ..data.dataset import Dataset
from ..models.evaluation import find_judged, judged_answers
from ..results.labels import LabelRule
from ..results.prediction import Predictions
from ..storage.state_dir import StateDir
from ..utils.files import atomic_write
from ..utils.masking import add_json_option, hide_values, hider, print_result


def write_failures(
    state: StateDir, name: str, out: Path, test: Dataset, rule: LabelRule, *, masked: bool = True
) -> tuple[list[int], Predictions]:
    """Write the rows that a run, or a model without one, got wrong on a test set.

    Returns their indices in the answers, and these, which are kept: no request is sent. Each row
    holds the fields of the example (with the reply that was expected), `line`, `got` (the first
    wrong answer), what there is of `got_calls`, `reasoning` and `error`, and where it was asked
    several times `right`, such as "2 of 5". Raises ConfigError for no such model, or no answers.
    """
    predictions = judged_answers(find_judged(state, name), test)
    wrong, texts, rounds = list[int](), "", predictions.repetitions or (predictions,)
    for i, answers in enumerate(zip(*rounds, strict=True)):
        if misses := [p for p in answers if not rule.right(p)]:
            p = misses[0]
            row = {**test[p.row].fields, "got": p.got, "line": p.line}
            row |= {k: v for k in ("error", "reasoning") if (v := getattr(p, k))}
            row |= {"got_calls": json.loads(p.calls)} if p.calls else {}
            if len(rounds) > 1:
                row["right"] = f"{len(rounds) - len(misses)} of {len(rounds)}"
            wrong.append(i)
            text = json.dumps(hide_values(row) if masked else row, ensure_ascii=False)
            texts += f"{text}\n"
    atomic_write(out, texts.encode(), mode=0o600)
    return wrong, predictions


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
    files = find_data_files(config, root, {"test": args.test_data}, Path.cwd())
    files.keep_from(args.out)
    parts = StateDir(root), args.run, args.out, files.get("test"), config.label_rule
    wrong, answers = write_failures(*parts, masked=not args.unmasked)
    n, times, hide = len(answers), len(answers.repetitions) or 1, hider()
    of_several = f"rows were wrong in at least one of {times} answers"
    what = "answers were wrong" if times == 1 else of_several
    lines = [f"{len(wrong):,} of {n:,} {what}: {args.out}"]
    found = cluster_texts([hide(p.prompt, True) for p in answers], wrong)
    for c in found:
        share = f"{len(c.rows):,} of {c.n:,}"
        lines.append(f"  {share:>11} ({len(c.rows) / c.n:4.0%})  {', '.join(c.words)}")
    if wrong:
        lines += [
            "These are test rows: who trains on them has no test, and the leakage check closes the",
            "gate. Draw new ones like them from what is asked of the model: tunegate data next LOG",
        ]
    told = {"path": args.out, "wrong": len(wrong), "n": n, "times": times}
    about = ((c, [answers[i].line for i in c.rows]) for c in found)
    told["clusters"] = [
        {"words": c.words, "wrong": len(c.rows), "n": c.n, "lines": of_c} for c, of_c in about
    ]
    print_result(args.json, told, lines)
