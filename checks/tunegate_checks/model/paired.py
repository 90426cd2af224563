"""Two models on the same examples: their difference, its interval, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tunegate.results.finding import Finding, Findings
from tunegate.results.prediction import Prediction, Predictions
from tunegate.utils.text import shorten

from ..stats import bootstrap, proportions
from .metric import Metric

MIN_EXAMPLES = 20  # examples for a bootstrap: fewer, and it takes the few for the world


def pair_predictions(candidate: Predictions, other: Predictions) -> tuple[Predictions, Predictions]:
    """Return both models' predictions on the examples that both have, in one order."""
    other_by_row = {p.row: p for p in other}
    pairs = [(p, other_by_row[p.row]) for p in candidate if p.row in other_by_row]
    return tuple(
        Predictions([pair[i] for pair in pairs], model=source.model, test=source.test)
        for i, source in enumerate((candidate, other))
    )  # type: ignore[return-value]


class ModelPair:
    """Two models under one metric, on the same examples."""

    def __init__(self, metric: Metric, new: Predictions, old: Predictions) -> None:
        self.metric, self.n = metric, len(new)
        self.candidate_stats, self.other_stats = metric.statistics(new), metric.statistics(old)
        self.candidate, self.other = (
            metric.value(self.candidate_stats),
            metric.value(self.other_stats),
        )
        self.difference = self.candidate - self.other
        if metric.binary:
            gains = (self.candidate_stats - self.other_stats)[:, 0]
            self.gained, self.lost = int((gains > 0).sum()), int((gains < 0).sum())
        elif self.n >= MIN_EXAMPLES:
            candidate_sums, other_sums = (
                bootstrap.resampled_sums(s, bootstrap.P_VALUE_RESAMPLES)
                for s in (self.candidate_stats, self.other_stats)
            )
            self.resampled = metric.combine(candidate_sums, self.n) - metric.combine(
                other_sums, self.n
            )

    def interval(self) -> tuple[float, float]:
        if self.metric.binary:
            return proportions.difference_interval(self.gained, self.lost, self.n)
        if self.n < MIN_EXAMPLES:
            return math.nan, math.nan
        import numpy as np

        low, high = np.quantile(self.resampled, [0.025, 0.975])
        return float(low), float(high)

    def p(self, margin: float | None) -> float:
        """Return the one-sided p-value: the bootstrap's achieved significance level, else exact."""
        if not self.metric.binary:
            if self.n < MIN_EXAMPLES:
                return 1.0
            not_above = int((self.resampled <= -(margin or 0.0)).sum())
            return (1 + not_above) / (1 + len(self.resampled))
        if margin is None:
            return proportions.mcnemar_greater_p(self.gained, self.lost)
        return proportions.not_inferior_p(self.gained, self.lost, self.n, margin)

    def method(self, margin: float | None) -> str:
        if self.metric.binary:
            return "exact McNemar" if margin is None else "Bonett-Price"
        return "bootstrap" if self.n >= MIN_EXAMPLES else f"too few: {MIN_EXAMPLES} are needed"


# [merged] Flips: the examples on which two models do not do equally well, item by item.

MIN_GAIN = 1e-9  # rounding is no flip


def find_flips(candidate: Predictions, other: Predictions, metric: Metric) -> Findings:
    """Return what the candidate gained and lost against the other model, by line of the test set.

    For a metric that is a mean (then by how much, and what was expected), or a share of right
    answers (then one of the two is the expected one). Of a corpus-wide one (BLEU, macro-F1) no
    example has a score of its own, and none is listed. A missing answer counts wrong.
    """
    candidate_rows, other_rows = pair_predictions(candidate, other)
    if not len(candidate_rows):
        return Findings("flips", (), split="test")
    return Findings(
        "flips",
        _flip_findings(candidate_rows, other_rows, metric),
        split="test",
        n=len(candidate_rows),
    )


def _flip_findings(candidate: Predictions, other: Predictions, metric: Metric) -> Iterator[Finding]:
    candidate_stats, other_stats = metric.statistics(candidate), metric.statistics(other)
    if candidate_stats.shape[1] != 1:
        return
    gains = (candidate_stats - other_stats)[:, 0]
    for p, other_prediction, gain in zip(candidate, other, gains, strict=True):
        if abs(gain) > MIN_GAIN:
            evidence = _flip_evidence(p, other_prediction)
            if not metric.binary:
                evidence = f"{gain:+.3f}, {shorten(p.expected, 24)!r} expected: {evidence}"
            yield Finding(p.row, p.line, "gained" if gain > 0 else "lost", evidence)


def _flip_evidence(new: Prediction, old: Prediction) -> str:
    old_text, new_text = shorten(_answer_text(old), 24), shorten(_answer_text(new), 24)
    return f"{old_text!r} became {new_text!r} for: {shorten(new.prompt, 60)}"


def _answer_text(p: Prediction) -> str:
    return "(no answer)" if p.error else p.got
