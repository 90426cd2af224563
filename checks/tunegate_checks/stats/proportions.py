"""Two proportions on the same examples: McNemar's test, and the interval of their difference."""

from __future__ import annotations

import math

from tunegate.results.intervals import Z95

Z90 = 1.644854  # one-sided 95 %


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
