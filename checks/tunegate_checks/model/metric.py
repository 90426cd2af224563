"""Metrics: numbers that are summed over the examples, and a function that turns sums into a score.

That is enough to give any score an interval, and to compare two models example by example.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tunegate.results.finding import Findings
from tunegate.results.intervals import clopper_pearson
from tunegate.results.prediction import Prediction, Predictions
from tunegate.results.score import Score

from ..stats import bootstrap

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


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
        resampled = self.combine(bootstrap.resampled_sums(statistics), len(statistics))
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
    rows = [replace(p, got=p.expected, error="") if p.error else p for p in predictions]
    return Predictions(rows, model=predictions.model, test=predictions.test)
