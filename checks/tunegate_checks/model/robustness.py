"""Robustness: does a label change where only the way of writing did?

Rows and places are drawn by a fixed seed, uniformly: that is what the interval of a rate rests on
(hypothesis, which looks for trouble rather than for a fair sample, tests the perturbations).
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tunegate.data.comparison import is_label
from tunegate.data.dataset import Dataset, Example
from tunegate.models.predict import Ask
from tunegate.results.finding import Finding, Findings
from tunegate.results.labels import LabelRule, exact
from tunegate.results.prediction import Predictions
from tunegate.results.score import Score, not_applicable_score, proportion

from ..text.display import quote_line
from .perturbations import PERTURBATIONS, Perturbation

FLIP_RATE_NAME = "flip rate"
MEASURED_SHARE = 0.7  # of the calls; the rest makes flips smaller


@dataclass(frozen=True)
class Trial:
    """A text, the same written differently, and the labels that the model gave to both."""

    example: Example
    kind: str
    original: str
    perturbed: str
    original_label: str | None
    perturbed_label: str | None = None
    error: str = ""

    @property
    def is_flipped(self) -> bool:
        """Whether the label is another one; one that could not be had counts as another."""
        return bool(self.error) or self.original_label != self.perturbed_label


def flips(
    predictions: Predictions,
    test: Dataset,
    ask: Ask,
    *,
    label: LabelRule = exact,
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
        return not_applicable_score(
            FLIP_RATE_NAME, "answers are not labels: how they are written may change"
        )
    trials = _run_trials(_draw_trials(predictions, test, label, perturbations, calls), ask, label)
    if not trials:
        return Score(
            math.nan, name=FLIP_RATE_NAME, hints=("no calls allowed, or a model of fixed answers",)
        )
    flipped = [trial for trial in trials if trial.is_flipped]
    minimiser = FlipMinimiser(ask, label, perturbations, calls - len(trials))
    minimised = minimiser.minimise([t for t in flipped if not t.error])
    all_flips = [*minimised, *(t for t in flipped if t.error)]
    flip_findings = Findings("flips", map(_flip_finding, all_flips), split="test", n=len(trials))
    counts = _count_lines(trials)
    return proportion(
        FLIP_RATE_NAME, len(flipped), len(trials), errors=len(flipped) - len(minimised), higher_is_better=False,
        misses=flip_findings, signature=f"{len(counts)} perturbations, seed 0; {label.name}",
        detail="\n".join(counts), hints=_flip_hints(trials, flip_findings),
    )  # fmt: skip


def _draw_trials(
    predictions: Predictions,
    test: Dataset,
    label: LabelRule,
    perturbations: Mapping[str, Perturbation],
    calls: int,
) -> Iterator[Trial]:
    """Yield trials that were not asked yet: of each kind the same number, on rows it changes."""
    random, per_kind = Random(0), int(calls * MEASURED_SHARE) // max(len(perturbations), 1)
    rows = [p for p in predictions if not p.error]
    for kind, perturb in perturbations.items():
        drawn_count = 0
        for p in random.sample(rows, len(rows)):
            example, seed = test[p.row], random.randrange(2**16)
            plain = last_user_text(example)
            written = perturb(plain, seed)
            if drawn_count < per_kind and plain.strip() and written != plain:
                drawn_count += 1
                yield Trial(example, kind, plain, written, label.read(p.got))


def _run_trials(untried: Iterator[Trial], ask: Ask, label: LabelRule) -> list[Trial]:
    trials = list(untried)
    answers = ask(with_user_texts([(t.example, t.perturbed) for t in trials]))
    pairs = zip(trials, answers, strict=False)  # there are no answers where none can be asked for
    return [replace(t, perturbed_label=label.read(a.got), error=a.error) for t, a in pairs]


def last_user_text(example: Example) -> str:
    """Return the last thing that the user says, "" where it is not plain text."""
    user_contents = [m.get("content") for m in example.messages if m["role"] == "user"]
    return user_contents[-1] if user_contents and isinstance(user_contents[-1], str) else ""


def with_user_texts(texts: Sequence[tuple[Example, str]]) -> Dataset:
    """Return rows like these examples, each with another text for what the user says last."""
    return Dataset([_with_user_text(example, i, text) for i, (example, text) in enumerate(texts)])


def _with_user_text(example: Example, row: int, text: str) -> Example:
    last = max(i for i, m in enumerate(example.messages) if m["role"] == "user")
    messages = [{**m, "content": text} if i == last else m for i, m in enumerate(example.messages)]
    return Example(row, example.line, {**example.fields, "messages": messages})


def _flip_finding(trial: Trial) -> Finding:
    row, line_number = trial.example.row, trial.example.line
    if trial.error:
        return Finding(row, line_number, trial.kind, f"no answer: {trial.error}")
    labels = f"{trial.original_label or 'no label'} -> {trial.perturbed_label or 'no label'}"
    return Finding(row, line_number, trial.kind, f"{labels}: {quote_line(trial.perturbed, 90)}")


def _count_lines(trials: Sequence[Trial]) -> list[str]:
    """Return a line for each kind, the worst first."""
    n = Counter(trial.kind for trial in trials)
    hits = Counter(trial.kind for trial in trials if trial.is_flipped)
    worst = sorted(n, key=lambda kind: -hits[kind] / n[kind])
    return [f"{kind:<14}{hits[kind]:>4,} of {n[kind]:,}" for kind in worst]


def _flip_hints(trials: Sequence[Trial], flip_findings: Findings) -> list[str]:
    if not len(flip_findings):
        return []
    changed = [t for t in trials if t.kind in flip_findings.kinds]
    kinds = ", ".join(" ".join(count.split()) for count in _count_lines(changed))
    smallest = min(flip_findings, key=lambda f: len(f.evidence))
    return [
        f"labels changed under {kinds}; other ways of writing: none",
        f"the smallest: {smallest.kind}, line {smallest.line}: {smallest.evidence}",
    ]


# [merged] Shrinking: a flip as small as it can be made, so that a person sees what did it.

_WORD = re.compile(r"\S+\s*")


class FlipMinimiser:
    """Cuts flips in halves for as long as one half still flips, from the same label.

    Both ways of writing a half are asked, those of several flips in one batch; `calls` bounds the
    questions. It is the first and cheapest step of delta debugging: Zeller & Hildebrandt 2002,
    *Simplifying and isolating failure-inducing input*, IEEE TSE 28(2).
    """

    def __init__(
        self, ask: Ask, label: LabelRule, perturbations: Mapping[str, Perturbation], calls: int
    ) -> None:
        self.ask, self.label, self.perturbations = ask, label, perturbations
        self.calls_left = calls

    def minimise(self, flipped: Sequence[Trial]) -> list[Trial]:
        """Return the flips, smaller where the calls sufficed: one of each kind goes first."""
        minimised: list[Trial] = []
        for wave in _waves(flipped):
            while wave:
                smaller = self._try_halves(wave)
                minimised += [t for i, t in enumerate(wave) if i not in smaller]
                wave = [smaller[i] for i in sorted(smaller)]
        return minimised

    def _try_halves(self, trials: Sequence[Trial]) -> dict[int, Trial]:
        """Return, by place, the first half of each flip that flips as well."""

        halves = [(i, half) for i, trial in enumerate(trials) for half in self._halves(trial)]
        halves = halves[: self.calls_left // 2]
        self.calls_left -= 2 * len(halves)
        texts = [(h.example, text) for _, h in halves for text in (h.original, h.perturbed)]
        answers = self.ask(with_user_texts(texts)) if texts else []
        labels_read = [None if a.error else self.label.read(a.got) for a in answers]
        smaller: dict[int, Trial] = {}
        for (i, half), before, after in zip(
            halves, labels_read[::2], labels_read[1::2], strict=True
        ):
            if before == half.original_label and after not in (before, None):
                smaller.setdefault(i, replace(half, perturbed_label=after))
        return smaller

    def _halves(self, trial: Trial) -> Iterator[Trial]:
        plain, written = _WORD.findall(trial.original), _WORD.findall(trial.perturbed)
        middle = len(plain) // 2
        for part in (slice(0, middle), slice(middle, None)) if middle else ():
            half = "".join(plain[part])
            aligned = len(plain) == len(written)  # else words came in front: write it anew
            other = "".join(written[part]) if aligned else self._perturb(trial.kind, half)
            if half != other:
                yield replace(trial, original=half, perturbed=other)

    def _perturb(self, kind: str, text: str) -> str:
        return self.perturbations[kind](text, 0)


def _waves(flipped: Sequence[Trial]) -> list[list[Trial]]:
    """Return the first flip of each kind, then the second of each, and so on."""
    waves: defaultdict[int, list[Trial]] = defaultdict(list)
    seen: defaultdict[str, int] = defaultdict(int)
    for trial in flipped:
        waves[seen[trial.kind]].append(trial)
        seen[trial.kind] += 1
    return [waves[i] for i in sorted(waves)]
