"""Cohen's kappa: the agreement of a judge with people beyond that of chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

from tunegate.results.intervals import Z95
from tunegate.results.score import Score


def kappa(
    people: Sequence[Hashable],
    judge: Sequence[Hashable],
    categories: Sequence[Hashable],
    *,
    quadratic: bool = False,
) -> Score:
    """Return kappa of two raters over the same things, with its 95 % interval.

    `quadratic`: the categories are steps of a scale, and two steps apart is four times as bad as
    one. NaN where both raters use one category only, since chance then agrees always. Source: J.
    Cohen (1960, 1968); large-sample interval of J. L. Fleiss, J. Cohen & B. S. Everitt (1969),
    Psychological Bulletin 72:323-327, cut off at -1 and 1.
    """
    n, steps = len(people), range(len(categories))
    if not n:
        return Score(math.nan, name="kappa")
    joint = Counter(zip(map(categories.index, people), map(categories.index, judge), strict=True))
    p = [[joint[i, j] / n for j in steps] for i in steps]
    span = max(len(categories) - 1, 1)
    w = [[1 - ((i - j) / span) ** 2 if quadratic else float(i == j) for j in steps] for i in steps]
    value, error = _estimate(p, w, n)
    low, high = max(value - Z95 * error, -1.0), min(value + Z95 * error, 1.0)
    agreement_count = sum(first == second for first, second in zip(people, judge, strict=True))
    kind = "quadratic weights" if quadratic else "unweighted"
    return Score(
        value, name="kappa", n=n, low=low, high=high,
        signature=f"Cohen's kappa, {kind}; {agreement_count} of {n} alike",
    )  # fmt: skip


def _estimate(p: list[list[float]], w: list[list[float]], n: int) -> tuple[float, float]:
    """Return kappa and its standard error from joint shares `p` and weights of agreement `w`."""
    k = range(len(p))
    rows, columns = [sum(p[i]) for i in k], [sum(p[i][j] for i in k) for j in k]
    cells = [(i, j) for i in k for j in k]
    observed = sum(w[i][j] * p[i][j] for i, j in cells)
    chance = sum(w[i][j] * rows[i] * columns[j] for i, j in cells)
    if chance > 1 - 1e-12:
        return math.nan, math.nan
    by_row = [sum(w[i][j] * columns[j] for j in k) for i in k]
    by_column = [sum(w[i][j] * rows[i] for i in k) for j in k]
    # The variance is computed about the mean: the published formula cancels to 0 near 0.
    x = {
        (i, j): w[i][j] * (1 - chance) - (by_row[i] + by_column[j]) * (1 - observed)
        for i, j in cells
    }
    mean = observed * chance - 2 * chance + observed
    variance = sum(p[i][j] * (x[i, j] - mean) ** 2 for i, j in cells)
    error = math.sqrt(variance / n) / (1 - chance) ** 2
    return (observed - chance) / (1 - chance), error
