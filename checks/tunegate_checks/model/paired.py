"""Pair two models on the same examples: the difference, its interval, its p-value, the flips."""

from __future__ import annotations

import math

from tunegate.results.finding import Finding, Findings
from tunegate.results.prediction import Predictions
from tunegate.results.score import Score
from tunegate.utils.text import shorten

from ..stats import bootstrap, proportions
from .metric import Metric, with_errors_right

MIN_EXAMPLES = 20  # for a bootstrap: with fewer its intervals are too short
MIN_GAIN = 1e-9  # a smaller difference is rounding, and no flip


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
        statistics = metric.statistics(new), metric.statistics(old)
        self.candidate, self.other = map(metric.value, statistics)
        self.difference = self.candidate - self.other
        if metric.binary:
            gains = (statistics[0] - statistics[1])[:, 0]
            self.gained, self.lost = int((gains > 0).sum()), int((gains < 0).sum())
        elif self.n >= MIN_EXAMPLES:
            candidate, other = (
                metric.combine(bootstrap.resampled_sums(s, bootstrap.P_VALUE_RESAMPLES), self.n)
                for s in statistics
            )
            self.resampled = candidate - other

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the difference; NaN with too few examples."""
        if self.metric.binary:
            return proportions.difference_interval(self.gained, self.lost, self.n)
        if self.n < MIN_EXAMPLES:
            return math.nan, math.nan
        import numpy as np

        low, high = np.quantile(self.resampled, [0.025, 0.975])
        return float(low), float(high)

    def p(self, margin: float | None) -> float:
        """Return the one-sided p-value of a difference above 0, or above -`margin`.

        For a metric that is not binary it is the achieved significance level of the bootstrap.
        """
        if not self.metric.binary:
            if self.n < MIN_EXAMPLES:
                return 1.0
            not_above = int((self.resampled <= -(margin or 0.0)).sum())
            return (1 + not_above) / (1 + len(self.resampled))
        if margin is None:
            return proportions.mcnemar_greater_p(self.gained, self.lost)
        return proportions.not_inferior_p(self.gained, self.lost, self.n, margin)

    def method(self, margin: float | None) -> str:
        """Return the name of the test behind `p`."""
        if self.metric.binary:
            return "exact McNemar" if margin is None else "Bonett-Price"
        return "bootstrap" if self.n >= MIN_EXAMPLES else f"too few: {MIN_EXAMPLES} are needed"


def measure_difference(
    metric: Metric, new: Predictions, old: Predictions, name: str
) -> tuple[Score, ModelPair, ModelPair]:
    """Return the candidate's score less the other's, and both models in the worst and best case.

    The predictions are paired, at least one. In the worst case errors count as wrong for the
    candidate and right for the other, in the best case reversed.
    """
    worst = ModelPair(metric, new, with_errors_right(old))
    best = ModelPair(metric, with_errors_right(new), old)
    low, high = worst.interval()
    errors = sum(bool(a.error or b.error) for a, b in zip(new, old, strict=True))
    difference = Score(
        worst.difference, name=name, n=worst.n, low=low, high=high,
        best_case=best.difference, errors=errors,
    )  # fmt: skip
    return difference, worst, best


def find_flips(candidate: Predictions, other: Predictions, metric: Metric) -> Findings:
    """Return what the candidate gained and lost against the other model, by line of the test set.

    The evidence has both answers; for a metric that is a mean also the difference and the expected
    reply. A corpus-wide metric (BLEU, macro-F1) has no score per example, and no flips. A missing
    answer counts as wrong.
    """
    new, old = pair_predictions(candidate, other)
    if not len(new):
        return Findings("flips", (), split="test")
    candidate_stats, other_stats = metric.statistics(new), metric.statistics(old)
    gains = (candidate_stats - other_stats)[:, 0] if candidate_stats.shape[1] == 1 else ()
    flips: list[Finding] = []
    for p, old_p, gain in zip(new, old, gains, strict=False):
        if abs(gain) > MIN_GAIN:
            old_text, new_text = (
                shorten("(no answer)" if q.error else q.got, 24) for q in (old_p, p)
            )
            evidence = f"{old_text!r} became {new_text!r} for: {shorten(p.prompt, 60)}"
            if not metric.binary:
                evidence = f"{gain:+.3f}, {shorten(p.expected, 24)!r} expected: {evidence}"
            flips.append(p.finding("gained" if gain > 0 else "lost", evidence))
    return Findings("flips", flips, split="test", n=len(new))
