"""Write rows with a model after a few seed rows; what does not hold is refused, and counted.

Answers are kept: the same command goes on. Exit status 1: rows lack.

$ tunegate data generate --like seeds.jsonl -n 500 --model openai:NAME -o all.jsonl
"""

import argparse
import json
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from tunegate.config.data_files import read_file
from tunegate.config.schema import Config, load_here
from tunegate.data import SPLITS
from tunegate.data.comparison import rows_in_training
from tunegate.data.dataset import Dataset
from tunegate.errors import ConfigError
from tunegate.interfaces.installed import load_files
from tunegate.interfaces.model import (
    Answer,
    Budget,
    Model,
    ModelUnknown,
    Request,
    SamplingModel,
    budget_from_options,
    hold_to_budget,
)
from tunegate.models.predict import cached_answers, predict
from tunegate.models.spec import open_model, resolve_candidate
from tunegate.results.prediction import Predictions
from tunegate.storage.state_dir import StateDir
from tunegate.utils.atomic import atomic_write
from tunegate.utils.masking import mask
from tunegate.utils.progress import progress_bar
from tunegate.utils.strict_json import to_json_line

from ..fix.recheck import FixRules
from ..fix.redact import Redactor
from ..review.sample import row_id
from .plan import NEW, REWORDED, WORDS, Slot, slots
from .rows import Generation, is_plain

TEMPERATURE = 0.8


def arguments(parser: argparse.ArgumentParser) -> None:
    add, many = parser.add_argument, parser.add_mutually_exclusive_group(required=True)
    parser.usage = "tunegate data generate --like FILE -n N --model SPEC -o OUT [options]"
    add("--like", type=Path, required=True, metavar="FILE", help="the seed rows")
    many.add_argument("-n", type=int, metavar="N", help="new rows to write, or:")
    many.add_argument("--paraphrase", type=int, metavar="N", help="rewordings of each seed")
    add("--model", required=True, metavar="SPEC", help="what writes: openai:NAME, a folder, ...")
    add("-o", "--out", type=Path, required=True, help="JSON Lines")
    add("--check-with", metavar="SPEC", help="a second model, which must give the same label")
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
    root, rules = found or Path.cwd(), FixRules(config.limits, Redactor(), task=config.task)
    rules = rules if found else replace(rules, task="")
    splits = configured_splits(config, root, args)
    seeds, notes = usable_seeds(args.like, config, splits)
    budget = budget_from_options(args.max_requests, args.max_cost, args.model, False)
    models = Models(StateDir(root), budget, notes)
    try:
        second = args.check_with and models.answerer(args.check_with)
        made = Generation(
            seeds, models.writer(args.model, REWORDED if args.paraphrase else NEW),
            mask(args.model), rules, splits, second, args.shots, args.out_of_scope or "",
        )  # fmt: skip
        if second and not any(made.labels):
            raise ConfigError("--check-with compares labels, and the replies here are no labels")
        plan = planned(made, args)
        made.write(plan)
    except ModelUnknown as error:
        raise ConfigError(str(error)) from None
    rows = [made.kept[n] for n in sorted(made.kept)]
    is_split = args.like.resolve() in [split.path for split in splits]
    first = [] if is_split else [{"id": row_id(e), **e.fields} for e in seeds]
    if rows:
        atomic_write(args.out, b"".join(to_json_line(row) + b"\n" for row in [*first, *rows]))
    print("\n".join(summary(made, len(plan), args.out, [*notes, str(budget)])))
    return int(len(rows) < len(plan))


def configured_splits(config: Config, root: Path, args: argparse.Namespace) -> list[Dataset]:
    """Return the splits that are there; raise ConfigError where OUT would replace what is read."""
    paths = {s: (root / name).resolve() for s in SPLITS if (name := getattr(config.data, s))}
    if args.out.resolve() in (args.like.resolve(), *paths.values()):
        raise ConfigError(f"{args.out} is read here, and never written over; choose another -o")
    if args.out.exists() and not args.force:
        raise ConfigError(f"{args.out}: already there; --force replaces")
    there = {split: path for split, path in paths.items() if path.exists()}
    return [read_file(path, config.data.columns, s, config.reading) for s, path in there.items()]


def usable_seeds(
    path: Path, config: Config, splits: Sequence[Dataset]
) -> tuple[Dataset, list[str]]:
    """Return the rows that others can be made after, and notes of those that are left out.

    A seed that stands in validation or test is: what is made after it would leak.
    """
    dataset = read_file(path, config.data.columns, reading=config.reading)
    plain = [e for e in dataset if is_plain(e)]
    held_out = [split for split in splits if split.split != "train"]
    leaked = {i for split in held_out for i in rows_in_training(plain, split)}
    left_out = {
        "cannot be read": sum(not problem.hint for problem in dataset.problems),
        "are not one prompt and one reply, both texts": len(dataset) - len(plain),
        "stand in validation or test": len(leaked),
    }
    notes = [f"{n:,} seeds left out, which {why}" for why, n in left_out.items() if n]
    rows = [e.fields for i, e in enumerate(plain) if i not in leaked]
    if not rows:
        raise ConfigError("; ".join([f"{path} has no row to write others after", *notes]))
    return Dataset.of(rows, reading=config.reading), notes


def planned(made: Generation, args: argparse.Namespace) -> list[Slot]:
    """Return the slots to fill: those of the coverage plan, or the rewordings of each seed."""
    labels, away = made.labels, args.out_of_scope
    if args.paraphrase:
        return [Slot(parent) for parent in range(len(labels)) for _ in range(args.paraphrase)]
    label = away and (made.seeds.reading.label.read(away) or "") * any(labels)
    return [*islice(slots(labels, args.language, label), args.n)]


@dataclass
class Models:
    """Opens models by their specs, and asks them through the cache, within one budget."""

    state: StateDir
    budget: Budget
    notes: list[str]

    def __post_init__(self) -> None:
        self.installed = load_files(())

    def _open(self, spec: str) -> Model:
        found = resolve_candidate(spec, self.state, lambda: self.installed)
        return open_model(found.spec, self.state.root, self.installed.openers)

    def writer(self, spec: str, kind: str) -> Callable[[Sequence[Request]], Mapping[int, Answer]]:
        """Return what asks a model for rows, held to their JSON schema if its server takes one."""
        forms = [self._open(spec)]
        if isinstance(forms[0], SamplingModel):
            schema = json.loads(WORDS[kind]["schema"])
            held, free = (forms[0].sampled(TEMPERATURE, s) for s in (schema, dict[str, str]()))
            forms = [held, free]
        else:
            self.notes.append(f"{mask(spec)} has no temperature: only what it is asked varies")
        forms = [hold_to_budget(self.budget, form) for form in forms]

        def ask(requests: Sequence[Request]) -> Mapping[int, Answer]:
            with progress_bar(f"asking {mask(spec)}", lambda: self.budget.spent) as bar:
                answers = cached_answers(forms[0], requests, self.state, bar)
                if len(forms) > 1 and all(a.error for a in answers.values()):
                    del forms[0]  # a server that takes no schema refuses every request
                    answers = cached_answers(forms[0], requests, self.state, bar)
            return answers

        return ask

    def answerer(self, spec: str) -> Callable[[Dataset], Predictions]:
        """Return what puts rows to a model."""
        model = hold_to_budget(self.budget, self._open(spec))
        return lambda rows: predict(model, rows, self.state)


def summary(made: Generation, wanted: int, out: Path, notes: Sequence[str]) -> Iterator[str]:
    """Yield what was written, what was refused by reason, and what comes next, in 80 columns."""
    kept, refused = [*made.kept.values()], +made.refused
    labels = Counter(e.label for e in Dataset.of(kept, reading=made.seeds.reading))
    about = f"{len(kept):,} of {wanted:,} rows after {len(made.seeds):,} seeds"
    lines = [("wrote", f"{out if kept else 'nothing'}: {about}")]
    lines += [("labels", counted(labels))] if any(made.labels) else []
    lines += [("refused", f"{refused.total():,}: {counted(refused)}")] if refused else []
    lines += [("note", note) for note in notes if note]
    if len(kept) < wanted:
        lines.append(("next", "the same command with --force goes on: answers are kept"))
    if kept:
        lines.append(("next", f"people read a sample of it: tunegate review serve {out}"))
    for heading, text in lines:
        for i, line in enumerate(textwrap.wrap(text, 70, break_long_words=False)):
            yield f"{'' if i else heading:<10}{line}"


def counted(counts: Counter[str]) -> str:
    """Return names with their counts, the commonest first."""
    return "; ".join(f"{name} {n:,}" for name, n in counts.most_common())
