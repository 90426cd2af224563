"""Write rows with a model, after a few seed rows.

What does not hold is refused and counted. Answers are kept: the same command goes on. Exit status
1: rows lack.

$ tunegate data generate --like seeds.jsonl -n 99 --model openai:M -o n.jsonl
"""

import argparse
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from tunegate.config.schema import Config, load_here
from tunegate.data import SPLITS
from tunegate.data.comparison import rows_in_training
from tunegate.data.dataset import Dataset, Example, rejected_reply
from tunegate.errors import ConfigError
from tunegate.interfaces.installed import load_files
from tunegate.interfaces.model import Budget, Model, budget_from_options, hold_to_budget
from tunegate.models.predict import Judge, JudgePanel, cached_answers, predict
from tunegate.models.spec import open_model, resolve_candidate
from tunegate.storage.answer_cache import record_judge
from tunegate.storage.state_dir import StateDir
from tunegate.utils.files import atomic_write
from tunegate.utils.masking import mask
from tunegate.utils.strict_json import json_lines

from ..fix.changes import Job
from ..fix.pipeline import check_jobs, read_reference
from ..fix.redact import Redactor
from ..fix.steps import FixRules
from ..judge.grading import grade
from ..judge.prompt import Item, item_with_setting
from ..judge.rubric import load_rubric
from ..review.sheet import row_id
from .rows import NEW, REWORDED, Generation, Slot, slots, writer


def arguments(parser: argparse.ArgumentParser) -> None:
    add, many = parser.add_argument, parser.add_mutually_exclusive_group(required=True)
    parser.usage = "tunegate data generate --like FILE -n N --model SPEC -o OUT [options]"
    add("--like", type=Path, required=True, metavar="FILE", help="the seed rows")
    many.add_argument("-n", type=int, metavar="N", help="new rows to write, or:")
    many.add_argument("--paraphrase", type=int, metavar="N", help="rewordings of each seed")
    add("--model", required=True, metavar="SPEC", help="what writes: openai:NAME, a folder, ...")
    add("-o", "--out", type=Path, required=True, help="JSON Lines")
    add("--check-with", metavar="SPEC", help="a second model: same label, or judge")
    add("--language", action="append", default=[], help="repeatable (that of the seeds)")
    add("--out-of-scope", metavar="REPLY", help="write such rows too, with this reply")
    add("--shots", type=int, default=15, metavar="N", help="seeds in a prompt (15)")
    add("--max-requests", type=int, metavar="N", help="send no more requests than N")
    add("--max-cost", type=float, metavar="USD", help="spend no more than this")
    add("--force", action="store_true", help="replace OUT")


def run(args: argparse.Namespace) -> int:
    """Write the rows and say what was refused; raises ConfigError, ValueError for bad input."""
    for option in ("n", "paraphrase", "shots"):
        if (number := getattr(args, option)) is not None and number < 1:
            raise ConfigError(f"{option} is {number}: a number from 1 on is valid")
    found, config = load_here()
    state, kind = StateDir(found or Path.cwd()), REWORDED if args.paraphrase else NEW
    paths = {s: state.root / name for s in SPLITS if (name := getattr(config.data, s))}
    there = [(path, s) for s, path in paths.items() if path.exists()]
    others = [(path, s) for path, s in there if s != "train" or not path.samefile(args.like)]
    check_jobs([Job(args.like, args.out)], others, args.force)
    seeds, *splits = (
        read_reference(path, split, config.data.columns, config.reading)
        for path, split in [(args.like, ""), *others]
    )
    seeds, notes = usable_seeds(seeds, splits)
    absent = [f"data.{s} is not there" for s, path in paths.items() if there and not path.exists()]
    notes += [f"{name}: no row was compared with it" for name in absent]
    away = args.out_of_scope
    budget = budget_from_options(args.max_requests, args.max_cost, args.model, False)
    rules = FixRules(config.limits, Redactor(), task=config.task if found else "")
    write = writer(opened(args.model, state), kind, state, budget)
    made = Generation(seeds, write, mask(args.model), rules, splits, args.shots, away or "")
    if args.check_with:
        made.second = second_opinion(args.check_with, config, state, budget, any(made.labels))
    plan = [Slot(parent) for parent in range(len(seeds)) for _ in range(args.paraphrase or 0)]
    if args.n:
        label = away and (config.label_rule.read(away) or "") * any(made.labels)
        plan = [*islice(slots(made.labels, args.language, label), args.n)]
    made.write(plan)
    rows = [made.kept[n] for n in sorted(made.kept)]
    first = [] if len(there) > len(others) else [{"id": row_id(e), **e.fields} for e in seeds]
    if rows:
        atomic_write(args.out, json_lines([*first, *rows]))
    print_summary(made, len(plan), args.out, [*notes, str(budget)])
    return int(len(rows) < len(plan))


def usable_seeds(dataset: Dataset, splits: Sequence[Dataset]) -> tuple[Dataset, list[str]]:
    """Return the rows that others can be made after, and notes of those that are left out."""

    def is_plain(e: Example) -> bool:
        roles = [m["role"] for m in e.messages if m["role"] not in ("system", "developer")]
        others = e.setting or e.target.calls or rejected_reply(e)
        return roles == ["user", "assistant"] and bool(e.prompt and e.reply and not others)

    plain = [e for e in dataset if is_plain(e)]
    # What is made after a row of validation or test would leak.
    leaked = {i for s in splits if s.split != "train" for i in rows_in_training(plain, s)}
    odd = len(dataset) - len(plain)
    left_out = {"not one prompt and one reply": odd, "in validation or test": len(leaked)}
    notes = [f"{n:,} of the seeds left out: {why}" for why, n in left_out.items() if n]
    if not (rows := [e.fields for i, e in enumerate(plain) if i not in leaked]):
        raise ConfigError("; ".join([f"{dataset.path} has no row to write others after", *notes]))
    return Dataset.of(rows, reading=dataset.reading), notes


def opened(spec: str, state: StateDir) -> Model:
    """Open a model by its spec, as `--model` of pytest does; raises ModelUnknown."""
    installed = load_files(())
    found = resolve_candidate(spec, state, lambda: installed)
    return open_model(found.spec, state.root, installed.openers)


def second_opinion(
    spec: str, config: Config, state: StateDir, budget: Budget, labels: bool
) -> Callable[[Dataset], dict[int, str]]:
    """Return what says why rows fail: of another label, or not passed by the `[judge]` rubric."""
    model = hold_to_budget(budget, opened(spec, state))

    def other_labels(rows: Dataset) -> dict[int, str]:
        answers = [(p, *rows.reading.label.labels_of(p)) for p in predict(model, rows, state)]
        label, none = "the second model gives another label", "the second model gives none: "
        said = {p.row: none + p.error if p.error else label * (a != b) for p, a, b in answers}
        return {row: textwrap.shorten(why, 100) for row, why in said.items() if why}

    def not_passed(rows: Dataset) -> dict[int, str]:
        items = [item_with_setting(Item(e.row, e.prompt, e.reply), e.given, e.fields) for e in rows]
        said = dict[int, str]()
        for e, g in zip(rows, grade(items, rubric, panel), strict=True):
            if not g.marks:
                said[e.row] = textwrap.shorten(f"the judge gives no verdict: {g.error}", 100)
            elif not rubric.passes(g.marks):
                said[e.row] = "the judge does not pass it"
        return said

    if labels:
        return other_labels
    if config.judge.rubric is None:
        raise ConfigError("--check-with judges replies that are no labels: set rubric in [judge]")
    rubric = load_rubric(state.root / config.judge.rubric).model_copy(update={"reference": False})
    record_judge(state, model.digest)  # so that a purge finds its answers
    judge = Judge(model.name, model.digest, lambda asked: cached_answers(model, asked, state))
    panel = JudgePanel([judge], state.root)
    return not_passed


def print_summary(made: Generation, wanted: int, out: Path, notes: Sequence[str]) -> None:
    """Print what was written, what was refused by reason, and what comes next."""
    kept, refused = [*made.kept.values()], +made.refused
    labels = Counter(e.label for e in Dataset.of(kept, reading=made.seeds.reading))
    said, why = (
        "; ".join(f"{name} {n:,}" for name, n in counts.most_common())
        for counts in (labels, refused)
    )
    lacks_answers = any(reason.startswith("no answer") for reason in refused)
    again = "the same command with --force goes on"
    more = "each row was asked for four times: a larger N asks for others"
    about = f"{len(kept):,} of {wanted:,} rows after {len(made.seeds):,} seeds"
    lines = [
        ("wrote", f"{out if kept else 'nothing'}: {about}"),
        ("labels", said if any(made.labels) else ""),
        ("refused", f"{refused.total():,}: {why}" if why else ""),
        *(("note", note) for note in notes),
        ("next", (again if lacks_answers else more) if len(kept) < wanted else ""),
        ("next", f"people read a sample: tunegate review sample {out}" if kept else ""),
    ]
    for heading, text in lines:
        if text:
            print(textwrap.fill(f"{heading:<10}{text}", 80, subsequent_indent=" " * 10))
