"""Say why a trained model answers badly, the likely cause first.

It reads what is kept of a run (data, answers, loss curves, runs of --probe) and asks no model.

$ tunegate run diagnose latest -o rows.csv
"""

import argparse
import random
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tunegate import ConfigError, Dataset, Example, Prediction, Predictions
from tunegate.config.data_files import find_data_files, read_system_prompt
from tunegate.config.project import current_project
from tunegate.config.schema import Config, load
from tunegate.data.comparison import comparison_texts, folded_text, is_label
from tunegate.gates.probe import rows_text, validation_answers
from tunegate.interfaces.installed import load_files
from tunegate.models.evaluation import judged_answers, read_scorecards
from tunegate.results.learning_curve import rows_needed_for
from tunegate.results.score import Unmeasurable, wilson
from tunegate.similarity import nearest, ratio
from tunegate.storage.state_dir import Run, StateDir, find_finished
from tunegate.tokenization.spec import tokenization_of
from tunegate.utils.files import atomic_write
from tunegate.utils.masking import add_json_option, hide_values, print_result

from .data import consistency, labels, size, splits, tokens
from .model import overfitting as loss_curves
from .review.sheet import to_cell
from .stats import share

MIN_EXPLAINED = 0.25  # of the wrong answers, or of the training rows
MIN_NOISE = 0.02  # of the training rows
NEAR = 0.6  # the similarity of two prompts from which on the training row is near
ALMOST = 0.8  # the similarity of a wrong answer and the expected one that makes it nearly right
LOOKED_UP = 1_000  # answers whose nearest training rows are searched, wrong ones first
STRATA = {"wrong": 10, "near wrong": 5, "right": 5}  # rows of the sheet
# What to do, by cause. Each is a method of Diagnosis: is it likely (None: not known), and evidence.
ADVICE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


@dataclass(frozen=True)
class Diagnosis:
    """What is kept of a run and its answers to a test set, and what it says of the wrong ones.

    The first likely cause is named: what spoils every answer, then what brings later ones about.
    docs/diagnose.md has the thresholds and their sources.
    """

    run: Run
    config: Config
    train: Dataset
    test: Dataset
    answers: Predictions

    @cached_property
    def wrong(self) -> list[Prediction]:
        """The wrong answers, and those that are missing."""
        return [p for p in self.answers if not self.config.label_rule.right(p)]

    @cached_property
    def nearest(self) -> dict[int, tuple[Example, float]]:
        """The nearest training row and its similarity, by the row of an answer."""
        looked_up = sorted(self.answers, key=self.config.label_rule.right)[:LOOKED_UP]
        asked = [self.test[p.row] for p in looked_up]
        texts, known = comparison_texts(asked, self.train)
        return {asked[i].row: (self.train[j], s) for i, j, s, _ in nearest(texts, known, NEAR)}

    def is_contradicted(self, p: Prediction) -> bool:
        """Tell whether the nearest training row has another label than is expected here."""
        examples = self.test[p.row], *self.nearest.get(p.row, ())[:1]
        return len({folded_text(e.label) for e in examples if is_label(e.label)}) == 2

    def causes(self) -> list[dict[str, Any]]:
        """Return the causes as JSON values, likely ones first, then those that are not known."""
        found = [(n.replace("_", " "), *getattr(self, n)(), text) for n, text in ADVICE.items()]
        found.sort(key=lambda cause: (True, None, False).index(cause[1]))
        return [{"name": n, "likely": k, "evidence": e, "advice": a} for n, k, e, a in found]

    def wrong_system_prompt(self) -> tuple[bool | None, str]:
        """Was the model trained with another system prompt than it is asked with?"""
        prompt = read_system_prompt(self.config, self.run.state.root)
        found = [*consistency.across(self.train, self.test)]
        found += [] if prompt is None else consistency.inference(self.train, prompt)
        return bool(found), found[0].evidence if found else "the same in training and test"

    def cut_replies(self) -> tuple[bool | None, str]:
        """Do answers stop short, by their limit or as beginnings, or are training rows too long?"""
        ends = ((p.finish == "length", p.got.strip(), p.expected) for p in self.wrong)
        whole = {"", *(e.reply.strip() for e in self.train)}  # "fee" is no cut "fee dispute"
        n = sum(is_end or (got not in whole and to.startswith(got)) for is_end, got, to in ends)
        run, limit = self.run, self.config.limits.cut_off
        is_cut = n > limit * len(self.answers) and n >= MIN_EXPLAINED * len(self.wrong)
        about = run.state.root, load_files(run.plugins).trainers, run.plan.trainer
        found = tokens.find(self.train, tokenization_of(self.config, *about))
        long = sum(hint.kind == "too long" for hint in found.hints)
        evidence = f"{n:,} of {len(self.wrong):,} wrong answers stop short"
        evidence += f"; {long:,} training rows are over max_length" if long else ""
        return is_cut or long >= MIN_EXPLAINED * len(self.train), evidence

    def shifted_test_set(self) -> tuple[bool | None, str]:
        """Has the test set other labels, lengths or words than training?"""
        psi, auc = self.config.limits.psi, self.config.limits.drift_auc
        found = [*splits.drift(self.train, self.test, psi_limit=psi, auc_limit=auc)]
        return bool(found), "; ".join(f.evidence for f in found) or "within psi and drift_auc"

    def label_noise(self) -> tuple[bool | None, str]:
        """Do training rows contradict others, or have doubtful labels?"""
        found = [*labels.contradictions(self.train), *labels.errors(self.train).hints]
        doubts = {f.row: f"line {f.line}: {f.evidence}" for f in found if f.row is not None}
        evidence = f"{len(doubts):,} of {len(self.train):,} training rows have a doubtful label"
        is_likely = len(doubts) > MIN_NOISE * len(self.train)
        with suppress(Unmeasurable):
            of_train, of_test = labels.missed_labels(self.train, self.test)
            told = [f"{missed / n:.0%}" for missed, n in (of_train, of_test)]
            evidence += f"; by its words {told[0]} have another label, in test {told[1]}"
            is_likely |= wilson(*of_train)[0] - wilson(*of_test)[1] > MIN_NOISE
        return is_likely, "; ".join([evidence, *doubts.values()][:2])

    def too_few_rows(self) -> tuple[bool | None, str]:
        """Would more training rows help?"""
        limits, n, probe, points = self.config.limits, len(self.train), self.run.state.probe, []
        parts = [Run(probe, path.parent.name) for path in probe.runs.glob("*/run.json")]
        parts = [part for part in parts if part.plan.config == self.run.plan.config]
        known = {e.text for e in self.train}  # a part of other rows is of former data
        parts = [part for part in parts if known.issuperset(e.text for e in part.data("train"))]
        for part in [*parts, self.run] if parts else ():
            if answers := validation_answers(part):
                wrong = sum(not self.config.label_rule.right(p) for p in answers)
                points.append((len(part.data("train")), wrong, len(answers)))
        if points:
            is_likely = None
            with suppress(Unmeasurable):
                is_likely = rows_needed_for(points, 1 - float(limits.accuracy)).low > n
            return is_likely, rows_text(points, limits.accuracy, n)
        found = [*size.find(self.train, task=self.config.task, per_class=limits.fewest_per_class)]
        is_likely = (found[0].kind == "too few" or None) if found else False
        return is_likely, found[0].evidence if found else f"{n:,} suffice for {self.config.task}"

    def overfitting(self) -> tuple[bool | None, str]:
        """Did the training go on after the validation loss was lowest?"""
        found = loss_curves.find(self.run.curves(), most=self.config.limits.overfitting)
        first = [*found, *found.hints][0]
        return bool(found) or (False if first.kind == "gap" else None), first.evidence

    def stratum(self, p: Prediction) -> str:
        """Return the stratum of the sheet that an answer belongs to."""
        if self.config.label_rule.right(p):
            return "near wrong" if self.is_contradicted(p) else "right"
        return "near wrong" if ratio(p.got, p.expected) >= ALMOST else "wrong"

    def row(self, p: Prediction) -> dict[str, Any]:
        """Return an answer beside its nearest training row, for a person to read."""
        near, similar = self.nearest.get(p.row, (None, None))
        return {
            "stratum": self.stratum(p), "line": p.line, "system": self.test[p.row].system,
            "prompt": p.prompt, "expected": p.expected, "got": p.got or p.error,
            "train_line": near and near.line, "train_prompt": near and near.prompt,
            "train_reply": near and near.reply, "similarity": similar, "note": "",
        }  # fmt: skip

    def sheet(self) -> list[dict[str, Any]]:
        """Return rows drawn at random from the strata; the others make up for a small one."""
        drawn = random.Random(self.test.digest).sample([*self.answers], len(self.answers))
        strata = [(n, [p for p in drawn if self.stratum(p) == name]) for name, n in STRATA.items()]
        ranked = sorted((i / n, p.row, p) for n, rows in strata for i, p in enumerate(rows))
        return [self.row(p) for *_, p in ranked[: sum(STRATA.values())]]

    def facts(self) -> dict[str, Any]:
        """Return the diagnosis as JSON values."""
        right = share("right", [*map(self.config.label_rule.right, self.answers)], self.answers)
        contradicted, causes = [*filter(self.is_contradicted, self.wrong)], self.causes()
        digest, cards = self.run.record["digest"], read_scorecards(self.run).values()
        return {
            "run": self.run.id, "test": self.test.digest, "digest": digest,
            "others": sorted({c["candidate"] for c in cards if c["model_digest"] != digest}),
            "n": len(self.answers), "right": right.hits, "low": right.low, "high": right.high,
            "likely": causes[0]["name"] if causes[0]["likely"] and self.wrong else None,
            "causes": causes, "wrong": len(self.wrong), "contradicted": len(contradicted),
            "near": sum(p.row in self.nearest for p in self.wrong),
            "examples": [self.row(p) for p in contradicted[:3]],
        }  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    add, run_help = parser.add_argument, "its id, or the beginning of it; default: latest"
    add("run", nargs="?", default="latest", metavar="RUN", help=run_help)
    add("-o", "--out", type=Path, metavar="FILE", help="20 rows to read, .csv or .jsonl")
    add("--unmasked", action="store_true", help="FILE has private values as they are")
    add("--test-data", metavar="FILE", help="default: the configured test split")
    add_json_option(parser)


def run(args: argparse.Namespace) -> None:
    """Print the likely cause, the others, and what training says of wrong answers."""
    import pandas as pd
    from jinja2 import Template

    if args.out and args.out.suffix not in (".csv", ".jsonl"):
        raise ConfigError(f"-o {args.out}: a name that ends in .csv or .jsonl is valid")
    root = current_project()
    config, of_run = load(root), find_finished(StateDir(root), args.run)
    files = find_data_files(config, root, {"test": args.test_data}, Path.cwd())
    test = files.get("test")
    train = Dataset.read(of_run.plan.train, "train", of_run.plan.columns, config.reading)
    diagnosis = Diagnosis(of_run, config, train, test, judged_answers(of_run, test))
    told = {**hide_values(diagnosis.facts()), "sheet": args.out}
    if args.out:
        files.keep_from(args.out)
        rows = diagnosis.sheet()
        frame = pd.DataFrame(rows if args.unmasked else hide_values(rows), dtype=object)
        text = frame.to_json(orient="records", lines=True, force_ascii=False)
        if args.out.suffix == ".csv":
            cells = frame.map(lambda v: v if isinstance(v, int | float) else to_cell(v or ""))
            text = cells.to_csv(index=False)
        atomic_write(args.out, text.encode("utf-8", "replace"), mode=0o600)
    template = Path(__file__).with_suffix(".txt").read_text("utf-8")
    lines = Template(template, trim_blocks=True, lstrip_blocks=True).render(told).splitlines()
    print_result(args.json, told, lines)
