"""Metrics: numbers that are summed over the examples, and a function that turns sums into a score.

That is enough to give any score an interval, and to compare two models example by example.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from tunegate import Finding, Findings, Prediction, Predictions
from tunegate.results.score import Z95, Score
from tunegate.utils.text import shorten

from .. import stats
from ..stats import Array, Estimate, Units, average

MIN_EXAMPLES = 20  # for a bootstrap of a difference: fewer do not show how good either model is
MIN_GAIN = 1e-9  # a smaller difference is rounding, and no flip


def ends_of_mean(statistics: Array) -> tuple[Array, Array]:
    """Return 0 and 1, or what was seen beyond, as rows: the ends of the scale of a mean."""
    low, high = (end(axis=0, keepdims=True) for end in (statistics.min, statistics.max))
    return low.clip(max=0), high.clip(min=1)


@dataclass(frozen=True, repr=False)
class Metric:
    """Called on predictions it returns their Score, with the bounds of `stats.estimate`."""

    name: str
    # Returns (n, k) numbers, a row per prediction; one without an answer counts as bad as can be.
    statistics: Callable[[Predictions], Array]
    # Makes the score of their column sums, (..., k) to (...), and of n.
    combine: Callable[[Array, int], Array]
    signature: str = ""
    binary: bool = False  # the score is the share of examples that are right, and not wrong
    misses: Callable[[Predictions], Findings] | None = None
    detail: Callable[[Predictions], str] | None = None
    # Returns the worst and the best rows that could have been seen beside the statistics.
    extremes: Callable[[Array], tuple[Array, Array]] = ends_of_mean
    scale: tuple[float, float] = (0.0, 1.0)  # the worst and the best score

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __call__(self, predictions: Predictions) -> Score:
        if not len(predictions):
            return Score(math.nan, name=self.name)
        units = Units.of(predictions)
        worst = best = self._estimate(predictions, units)
        if predictions.errors:
            best = self._estimate(with_errors_right(predictions), units)
        return units.score(
            worst, best, self.signature, name=self.name, errors=len(predictions.errors),
            misses=self.misses(predictions) if self.misses else None,
            detail=self.detail(predictions) if self.detail else "", scale=self.scale,
        )  # fmt: skip

    def _estimate(self, predictions: Predictions, units: Units) -> Estimate:
        statistics = self.statistics(predictions)
        ends = self.extremes(statistics)
        if self.combine is average:
            return stats.estimate_mean(statistics[:, 0], units, *(float(end[0, 0]) for end in ends))
        return stats.estimate(statistics, self.combine, ends, units)

    def value(self, statistics: Array) -> float:
        """Return the score of all the examples."""
        return float(self.combine(statistics.sum(axis=0), len(statistics)))


def mean(
    name: str, value: Callable[[Prediction], float], *, signature: str = "",
    misses: Callable[[Predictions], Findings] | None = None,
    detail: Callable[[Predictions], str] | None = None,
) -> Metric:  # fmt: skip
    """Return the metric that is the mean of `value` over the predictions.

    `mean("politeness", lambda p: float("please" in p.got))` is a metric of your own. `value` must
    give a prediction with an error the worst value.
    """

    def statistics(predictions: Predictions) -> Array:
        import numpy as np

        return np.array([[value(p)] for p in predictions], dtype=np.float64)

    return Metric(name, statistics, average, signature, misses=misses, detail=detail)


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
    return (
        Predictions(new, model=candidate.model, test=candidate.test),
        Predictions([other_by_row[p.row] for p in new], model=other.model, test=other.test),
    )


class ModelPair:
    """Two models under one metric, on the same examples."""

    def __init__(self, metric: Metric, new: Predictions, old: Predictions) -> None:
        self.metric, self.units = metric, Units.of(new)
        statistics = metric.statistics(new), metric.statistics(old)
        self.candidate, self.other = map(metric.value, statistics)
        self.difference, self.n = self.candidate - self.other, self.units.n
        gains = self.units.totals(statistics[0] - statistics[1])[0][:, 0]
        self.gained, self.lost = int((gains > 0).sum()), int((gains < 0).sum())
        self.exact = metric.binary and self.units.count == self.n
        self._statistics = statistics
        if not self.exact and self.n >= MIN_EXAMPLES:
            self.resampled = self._resample(0)

    def _resample(self, end: int) -> Array:
        """Return differences, the candidate's worst (0) or best (1) unseen rows added."""
        import numpy as np

        new, old = self._statistics
        added = self.metric.extremes(new)[end]
        other = np.repeat(old.mean(axis=0, keepdims=True), len(added), axis=0)
        # There the other is as good as on average; the reverse, where answers are right or not.
        both = np.hstack([added, 1 - added if self.metric.binary else other])
        rows, times = np.hstack([new, old]), stats.P_VALUE_RESAMPLES
        sums = stats.resampled_sums(rows, times, self.units, both)
        candidate, baseline = (self.metric.combine(s, self.n) for s in np.hsplit(sums, 2))
        difference: Array = candidate - baseline
        return difference

    def interval(self, z: float = Z95) -> tuple[float, float]:
        """Return the interval of the difference (z = 1.96: 95 %); NaN with too few examples."""
        if self.exact:
            return stats.difference_interval(self.gained, self.lost, self.n, z)
        if self.n < MIN_EXAMPLES:
            return math.nan, math.nan
        import numpy as np

        tail = math.erfc(z / math.sqrt(2)) / 2
        low, high = np.quantile(self.resampled, tail), np.quantile(self._resample(1), 1 - tail)
        return min(float(low), self.difference), max(float(high), self.difference)

    def p(self, margin: float | None) -> float:
        """Return the one-sided p-value of a difference above 0, or above -`margin`."""
        if self.exact:
            return stats.not_inferior_p(self.gained, self.lost, self.n, margin or 0.0)
        if self.n < MIN_EXAMPLES:
            return 1.0
        not_above = int((self.resampled <= -(margin or 0.0)).sum())
        return (1 + not_above) / (1 + stats.P_VALUE_RESAMPLES)  # the achieved significance level

    def method(self, margin: float | None) -> str:
        """Return the name of the test behind `p`."""
        if self.exact:
            return "exact McNemar" if margin is None else "Gaffke"
        return "bootstrap" if self.n >= MIN_EXAMPLES else f"too few: {MIN_EXAMPLES} are needed"


def measure_difference(
    metric: Metric, new: Predictions, old: Predictions, name: str
) -> tuple[Score, ModelPair, ModelPair]:
    """Return the candidate's score less the other's, and both models in worst and best case."""
    # Errors count as wrong for the candidate and right for the other; in the best case reversed.
    worst = ModelPair(metric, new, with_errors_right(old))
    best = ModelPair(metric, with_errors_right(new), old)
    low, high = worst.interval()
    errors = sum(bool(a.error or b.error) for a, b in zip(new, old, strict=True))
    least, most = metric.scale
    difference = Score(
        worst.difference, name=name, n=worst.units.n, low=low, high=high,
        best_case=best.difference, errors=errors, scale=(least - most, most - least),
        units=worst.units.count,
    )  # fmt: skip
    return difference, worst, best


def find_flips(metric: Metric, new: Predictions, old: Predictions) -> Findings:
    """Return what the candidate gained and lost against the other model, by line of the test set.

    The predictions are paired, at least one. The evidence has both answers; for a metric that is a
    mean also the difference and the expected reply. A corpus-wide metric (BLEU, macro-F1) has no
    score per example, and no flips. A missing answer counts as wrong.
    """
    differences, flips = metric.statistics(new) - metric.statistics(old), list[Finding]()
    gains = differences[:, 0] if differences.shape[1] == 1 else ()
    for p, old_p, gain in zip(new, old, gains, strict=False):
        if abs(gain) > MIN_GAIN:
            texts = ("(no answer)" if q.error else q.got for q in (old_p, p))
            old_text, new_text = (shorten(text, 24) for text in texts)
            evidence = f"{old_text!r} became {new_text!r} for: {shorten(p.prompt, 60)}"
            if not metric.binary:
                evidence = f"{gain:+.3f}, {shorten(p.expected, 24)!r} expected: {evidence}"
            flips.append(p.finding("gained" if gain > 0 else "lost", evidence))
    return Findings("flips", flips, split="test", n=len(new))
