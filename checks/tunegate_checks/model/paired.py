"""Two models on the same examples: their difference, its interval, and how sure it is."""

from __future__ import annotations

import math

from tunegate.predictions import Predictions

from . import bootstrap, proportions
from .metric import Metric

FEWEST = 20  # examples for a bootstrap: fewer, and it takes the few for the world


def paired(candidate: Predictions, other: Predictions) -> tuple[Predictions, Predictions]:
    """Return both models' predictions on the examples that both have, in one order."""
    before = {p.row: p for p in other}
    pairs = [(p, before[p.row]) for p in candidate if p.row in before]
    return tuple(
        Predictions([pair[i] for pair in pairs], model=source.model, test=source.test)
        for i, source in enumerate((candidate, other))
    )  # type: ignore[return-value]


class Pair:
    """Two models under one metric, on the same examples."""

    def __init__(self, metric: Metric, new: Predictions, old: Predictions) -> None:
        self.metric, self.n = metric, len(new)
        self.now, self.then = metric.statistics(new), metric.statistics(old)
        self.after, self.before = metric.value(self.now), metric.value(self.then)
        self.difference = self.after - self.before
        if metric.binary:
            gains = (self.now - self.then)[:, 0]
            self.gained, self.lost = int((gains > 0).sum()), int((gains < 0).sum())
        elif self.n >= FEWEST:
            after, before = (bootstrap.sums(s, bootstrap.P_VALUE) for s in (self.now, self.then))
            self.drawn = metric.combine(after, self.n) - metric.combine(before, self.n)

    def interval(self) -> tuple[float, float]:
        if self.metric.binary:
            return proportions.interval(self.gained, self.lost, self.n)
        if self.n < FEWEST:
            return math.nan, math.nan
        import numpy as np

        low, high = np.quantile(self.drawn, [0.025, 0.975])
        return float(low), float(high)

    def p(self, margin: float | None) -> float:
        """Return the one-sided p-value: the bootstrap's achieved significance level, else exact."""
        if not self.metric.binary:
            if self.n < FEWEST:
                return 1.0
            short = int((self.drawn <= -(margin or 0.0)).sum())
            return (1 + short) / (1 + len(self.drawn))
        if margin is None:
            return proportions.mcnemar_greater(self.gained, self.lost)
        return proportions.not_inferior(self.gained, self.lost, self.n, margin)

    def method(self, margin: float | None) -> str:
        if self.metric.binary:
            return "exact McNemar" if margin is None else "Bonett-Price"
        return "bootstrap" if self.n >= FEWEST else f"too few: {FEWEST} are needed"
