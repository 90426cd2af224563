"""Statistics that know no model: the bootstrap, two proportions on the same examples, kappa."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from tunegate.results.score import Z95, Score

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

Z90 = 1.644854  # one-sided 95 %
INTERVAL_RESAMPLES = 1_000  # enough for the 2.5 % quantile
P_VALUE_RESAMPLES = 10_000  # enough to see a p of 0.001
_MAX_COUNTS = 2_000_000  # resamples times examples held in memory at once


def resampled_sums(statistics: Array, resamples: int = INTERVAL_RESAMPLES, seed: int = 0) -> Array:
    """Return the column sums of resamples: (examples, k) in, (resamples, k) out.

    Each resample draws as many examples as there are, with replacement: Efron & Tibshirani, An
    Introduction to the Bootstrap, 1993, chapter 13. The same seed and number of examples draw the
    same examples: two models resampled so are compared pair by pair.
    """
    import numpy as np

    n = len(statistics)
    random = np.random.default_rng(seed)
    step = max(_MAX_COUNTS // n, 1)
    sums: list[Array] = []
    for done in range(0, resamples, step):
        size = min(step, resamples - done)
        drawn = random.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n)  # how often each example was drawn
        sums.append(counts.reshape(size, n).astype(np.float64) @ statistics)
    return np.vstack(sums)


def mcnemar_p(gained: int, lost: int) -> float:
    """Return the two-sided exact p-value of McNemar's test: gains and losses equally likely.

    Source: Q. McNemar (1947), Psychometrika 12:153-157; exact, by the binomial distribution.
    """
    return min(1.0, 2 * mcnemar_greater_p(max(gained, lost), min(gained, lost)))


def mcnemar_greater_p(gained: int, lost: int) -> float:
    """Return the one-sided exact p-value of more gains than losses.

    It is the chance that a fair coin, thrown once for each flip, shows at most `lost` heads.
    """
    flips = gained + lost
    return sum(math.comb(flips, k) for k in range(lost + 1)) / (1 << flips)


def difference_interval(gained: int, lost: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Return the interval of (gained - lost) / n; z = 1.96 gives 95 %, two-sided.

    Wald's interval with one gain and one loss added. Source: D. G. Bonett & R. M. Price (2012), J.
    Educ. Behav. Stat. 37:479-488.
    """
    if n == 0:
        return math.nan, math.nan
    middle, error = _adjusted_difference(gained, lost, n)
    return max(middle - z * error, -1.0), min(middle + z * error, 1.0)


def not_inferior_p(gained: int, lost: int, n: int, margin: float) -> float:
    """Return the one-sided p-value of a difference above -margin, from the same approximation."""
    if n == 0:
        return math.nan
    middle, error = _adjusted_difference(gained, lost, n)
    return math.erfc((middle + margin) / error / math.sqrt(2)) / 2


def _adjusted_difference(gained: int, lost: int, n: int) -> tuple[float, float]:
    """Return the difference and its standard error, one gain and one loss added."""
    a, b = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    return a - b, math.sqrt(max(a + b - (a - b) ** 2, 0.0) / (n + 2))


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
    value, error = _kappa_and_error(p, w, n)
    low, high = max(value - Z95 * error, -1.0), min(value + Z95 * error, 1.0)
    agreement_count = sum(first == second for first, second in zip(people, judge, strict=True))
    kind = "quadratic weights" if quadratic else "unweighted"
    return Score(
        value, name="kappa", n=n, low=low, high=high,
        signature=f"Cohen's kappa, {kind}; {agreement_count} of {n} alike",
    )  # fmt: skip


def _kappa_and_error(p: list[list[float]], w: list[list[float]], n: int) -> tuple[float, float]:
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
