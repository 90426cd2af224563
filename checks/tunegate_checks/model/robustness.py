"""Robustness: does a label change where only the way of writing did?

Rows and places are drawn by a fixed seed, uniformly: that is what the interval of a rate rests on
(hypothesis, which looks for trouble rather than for a fair sample, tests the perturbations).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tunegate.dataset import Dataset, Example
from tunegate.extraction import Rule, exact
from tunegate.findings import Finding, Findings
from tunegate.predictions import Ask, Predictions
from tunegate.prompts import is_label
from tunegate.score import Score, nothing_to_judge, proportion

from ..data.wording import line
from .metamorphic import PERTURBATIONS, Perturbation
from .shrinking import Shrinker

NAME = "flip rate"
MEASURED = 0.7  # of the calls; the rest makes flips smaller


@dataclass(frozen=True)
class Trial:
    """A text, the same written differently, and the labels that the model gave to both."""

    example: Example
    kind: str
    plain: str
    written: str
    before: str | None
    after: str | None = None
    error: str = ""

    @property
    def flipped(self) -> bool:
        """Whether the label is another one; one that could not be had counts as another."""
        return bool(self.error) or self.before != self.after


def flips(
    predictions: Predictions,
    test: Dataset,
    ask: Ask,
    *,
    label: Rule = exact,
    calls: int = 200,
    perturbations: Mapping[str, Perturbation] = PERTURBATIONS,
) -> Score:
    """Return the share of labels that change when the question is written differently.

    For classification. Every perturbation is tried on the same number of test rows, which are put
    to the model in one batch; what it said of the row as it stands is in `predictions`. Further
    batches make the flips smaller, one of each kind first. No more than `calls` questions are asked
    in all. Wilson's interval is that of these draws; the mix of perturbations is even, and real
    traffic's is not: look at each kind by itself, in `detail`.
    """
    if not all(is_label(label.read(p.expected) or "") for p in predictions):
        return nothing_to_judge(NAME, "answers are not labels: how they are written may change")
    trials = _tried(_drawn(predictions, test, label, perturbations, calls), ask, label)
    if not trials:
        return Score(math.nan, name=NAME, hints=("no calls allowed, or a model of fixed answers",))
    flipped = [trial for trial in trials if trial.flipped]
    shrinker = Shrinker(ask, label, perturbations, calls - len(trials))
    small = shrinker.shrink([t for t in flipped if not t.error])
    wrong = [*small, *(t for t in flipped if t.error)]
    found = Findings("flips", map(_finding, wrong), split="test", n=len(trials))
    counts = _counts(trials)
    return proportion(
        NAME, len(flipped), len(trials), errors=len(flipped) - len(small), good=False,
        misses=found, signature=f"{len(counts)} perturbations, seed 0; {label.name}",
        detail="\n".join(counts), hints=_hints(trials, found),
    )  # fmt: skip


def _drawn(
    predictions: Predictions,
    test: Dataset,
    label: Rule,
    perturbations: Mapping[str, Perturbation],
    calls: int,
) -> Iterator[Trial]:
    """Yield trials that were not asked yet: of each kind the same number, on rows it changes."""
    random, each = Random(0), int(calls * MEASURED) // max(len(perturbations), 1)
    rows = [p for p in predictions if not p.error]
    for kind, perturb in perturbations.items():
        found = 0
        for p in random.sample(rows, len(rows)):
            example, place = test[p.row], random.randrange(2**16)
            plain = asked(example)
            written = perturb(plain, place)
            if found < each and plain.strip() and written != plain:
                found += 1
                yield Trial(example, kind, plain, written, label.read(p.got))


def _tried(drawn: Iterator[Trial], ask: Ask, label: Rule) -> list[Trial]:
    trials = list(drawn)
    answers = ask(rewritten([(t.example, t.written) for t in trials]))
    pairs = zip(trials, answers, strict=False)  # there are no answers where none can be asked for
    return [replace(t, after=label.read(a.got), error=a.error) for t, a in pairs]


def asked(example: Example) -> str:
    """Return the last thing that the user says, "" where it is not plain text."""
    said = [m.get("content") for m in example.messages if m["role"] == "user"]
    return said[-1] if said and isinstance(said[-1], str) else ""


def rewritten(texts: Sequence[tuple[Example, str]]) -> Dataset:
    """Return rows like these examples, each with another text for what the user says last."""
    return Dataset([_with(example, i, text) for i, (example, text) in enumerate(texts)])


def _with(example: Example, row: int, text: str) -> Example:
    last = max(i for i, m in enumerate(example.messages) if m["role"] == "user")
    messages = [{**m, "content": text} if i == last else m for i, m in enumerate(example.messages)]
    return Example(row, example.line, {**example.fields, "messages": messages})


def _finding(trial: Trial) -> Finding:
    row, at = trial.example.row, trial.example.line
    if trial.error:
        return Finding(row, at, trial.kind, f"no answer: {trial.error}")
    labels = f"{trial.before or 'no label'} -> {trial.after or 'no label'}"
    return Finding(row, at, trial.kind, f"{labels}: {line(trial.written, 90)}")


def _counts(trials: Sequence[Trial]) -> list[str]:
    """Return a line for each kind, the worst first."""
    n = Counter(trial.kind for trial in trials)
    hits = Counter(trial.kind for trial in trials if trial.flipped)
    worst = sorted(n, key=lambda kind: -hits[kind] / n[kind])
    return [f"{kind:<14}{hits[kind]:>4,} of {n[kind]:,}" for kind in worst]


def _hints(trials: Sequence[Trial], found: Findings) -> list[str]:
    if not len(found):
        return []
    changed = [t for t in trials if t.kind in found.kinds]
    kinds = ", ".join(" ".join(count.split()) for count in _counts(changed))
    small = min(found, key=lambda f: len(f.evidence))
    return [
        f"labels changed under {kinds}; other ways of writing: none",
        f"the smallest: {small.kind}, line {small.line}: {small.evidence}",
    ]
