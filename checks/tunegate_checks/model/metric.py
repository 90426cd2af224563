"""Metrics: numbers that are summed over the examples, and a function that turns sums into a score.

That is enough to give any score an interval, and to compare two models example by example: the
difference, its interval, its p-value, and the examples on which they differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tunegate.results.finding import Finding, Findings
from tunegate.results.prediction import Prediction, Predictions
from tunegate.results.score import Score, clopper_pearson
from tunegate.utils.text import shorten

from .. import stats

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

MIN_EXAMPLES = 20  # for a bootstrap of a difference: with fewer its intervals are too short
MIN_GAIN = 1e-9  # a smaller difference is rounding, and no flip


@dataclass(frozen=True, repr=False)
class Metric:
    """Called on predictions it returns their Score, with a percentile bootstrap interval.

    `statistics` returns (n, k) numbers, a row per prediction; one without an answer counts as
    badly as it can. `combine` makes the score of their column sums, (..., k) to (...), and of n.
    `binary`: each example is right or wrong, and the score is the share of those that are right.
    """

    name: str
    statistics: Callable[[Predictions], Array]
    combine: Callable[[Array, int], Array]
    signature: str = ""
    binary: bool = False
    misses: Callable[[Predictions], Findings] | None = None
    detail: Callable[[Predictions], str] | None = None

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __call__(self, predictions: Predictions) -> Score:
        n = len(predictions)
        if not n:
            return Score(math.nan, name=self.name)
        value, low, lower, high = self._estimate(predictions)
        best_case = (value, low, lower, high)
        if predictions.errors:
            best_case = self._estimate(with_errors_right(predictions))
        return Score(
            value, name=self.name, n=n, low=low, high=high, lower=lower,
            errors=len(predictions.errors), best_case=best_case[0], best_case_lower=best_case[2],
            misses=self.misses(predictions) if self.misses else None,
            detail=self.detail(predictions) if self.detail else "", signature=self.signature,
        )  # fmt: skip

    def _estimate(self, predictions: Predictions) -> tuple[float, float, float, float]:
        """Return the value, and the 2.5, 5 and 97.5 % quantiles of its resamples."""
        import numpy as np

        statistics = self.statistics(predictions)
        resampled = self.combine(stats.resampled_sums(statistics), len(statistics))
        low, lower, high = np.quantile(resampled, [0.025, 0.05, 0.975])
        value, n = self.value(statistics), len(statistics)
        if value == lower == high == 1:  # resamples of n in n have no width
            low, lower = min(low, clopper_pearson(n, n, 0.975)), clopper_pearson(n, n)
        return value, float(low), float(lower), float(high)

    def value(self, statistics: Array) -> float:
        """Return the score of all the examples."""
        return float(self.combine(statistics.sum(axis=0), len(statistics)))


def mean(
    name: str,
    value: Callable[[Prediction], float],
    *,
    signature: str = "",
    misses: Callable[[Predictions], Findings] | None = None,
    detail: Callable[[Predictions], str] | None = None,
) -> Metric:
    """Return the metric that is the mean of `value` over the predictions.

    `mean("politeness", lambda p: float("please" in p.got))` is a metric of your own. `value` must
    give a prediction with an error the worst value.
    """

    def statistics(predictions: Predictions) -> Array:
        import numpy as np

        return np.array([[value(p)] for p in predictions], dtype=np.float64)

    return Metric(name, statistics, average, signature, misses=misses, detail=detail)


def average(sums: Array, n: int) -> Array:
    """Combine sums of one column into a mean."""
    mean: Array = sums[..., 0] / n
    return mean


def with_errors_right(predictions: Predictions) -> Predictions:
    """Return the best case: every missing answer is replaced by the expected one."""
    rows = [
        replace(p, got=p.expected, calls=p.expected_calls, error="") if p.error else p
        for p in predictions
    ]
    return Predictions(rows, model=predictions.model, test=predictions.test)


def pair_predictions(candidate: Predictions, other: Predictions) -> tuple[Predictions, Predictions]:
    """Return both models' predictions on the examples that both have, in one order."""
    other_by_row = {p.row: p for p in other}
    new = [p for p in candidate if p.row in other_by_row]
    old = [other_by_row[p.row] for p in new]
    return (
        Predictions(new, model=candidate.model, test=candidate.test),
        Predictions(old, model=other.model, test=other.test),
    )


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
                metric.combine(stats.resampled_sums(s, stats.P_VALUE_RESAMPLES), self.n)
                for s in statistics
            )
            self.resampled = candidate - other

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the difference; NaN with too few examples."""
        if self.metric.binary:
            return stats.difference_interval(self.gained, self.lost, self.n)
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
            return stats.mcnemar_greater_p(self.gained, self.lost)
        return stats.not_inferior_p(self.gained, self.lost, self.n, margin)

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


def find_flips(metric: Metric, new: Predictions, old: Predictions) -> Findings:
    """Return what the candidate gained and lost against the other model, by line of the test set.

    The predictions are paired, at least one. The evidence has both answers; for a metric that is a
    mean also the difference and the expected reply. A corpus-wide metric (BLEU, macro-F1) has no
    score per example, and no flips. A missing answer counts as wrong.
    """
    differences = metric.statistics(new) - metric.statistics(old)
    gains = differences[:, 0] if differences.shape[1] == 1 else ()
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
