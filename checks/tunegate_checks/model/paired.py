"""Two models on the same examples: their difference, its interval, and how sure it is."""

from __future__ import annotations

import math

from tunegate.predictions import Predictions

from . import bootstrap, proportions
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
