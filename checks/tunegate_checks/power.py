"""How many rows show what: how often a model of given accuracy passes, and sample sizes.

Exact, by C. J. Clopper & E. S. Pearson (1934), Biometrika 26:404-413; of two models on the same
rows, by those that they differ on: Q. McNemar (1947), Psychometrika 12:153-157.
"""

import math
from bisect import bisect
from collections.abc import Callable

from tunegate.results.outcome import Mode

from .stats import not_inferior_p

RISK = 0.05  # of passing a model that should not pass
POWER = 0.8  # of passing one that should
WORSE = 0.03  # than the claim: in point mode such a model should not pass
MOST_ROWS = 10**6  # stands for a claim that no number of rows shows


def errors_allowed(n: int, limit: float, confidence: float = 0.95) -> int:
    """Return the most errors in n whose one-sided lower bound reaches `limit`; -1 if none does."""
    from scipy.stats import binom

    # The bound reaches `limit` if so few errors are improbable at accuracy = limit.
    errors = int(binom.ppf(1 - confidence, n, 1 - limit))
    while errors >= 0 and binom.cdf(errors, n, 1 - limit) > 1 - confidence:
        errors -= 1
    return errors


def errors_in_all(n: int, limit: float, mode: Mode) -> int:
    """Return the most wrong rows of n with which accuracy, or its bound, holds the limit; or -1."""
    return errors_allowed(n, limit) if mode == "lower" else n - math.ceil(limit * n - 1e-9)


def pass_rate(n: int, limit: float, accuracy: float, mode: Mode = "point") -> float:
    """Return how often a model of this true accuracy passes `accuracy >= limit` on n examples."""
    from scipy.stats import binom

    return float(binom.cdf(errors_in_all(n, limit, mode), n, 1 - accuracy))


def examples_needed(limit: float, accuracy: float, risk: float = RISK) -> int:
    """Return about how many examples it takes so that the model passes at most at `risk`."""
    return fewest_rows(lambda n: pass_rate(n, limit, accuracy) <= risk)


def rows_for_limit(limit: float, accuracy: float, mode: Mode, power: float = POWER) -> int:
    """Return about how many rows `accuracy >= limit` takes.

    A model of this true accuracy passes with this power, one that should not at RISK.
    """
    if accuracy <= limit:
        return MOST_ROWS
    strict = examples_needed(limit, max(limit - WORSE, 0)) if mode == "point" else 0
    return max(strict, fewest_rows(lambda n: pass_rate(n, limit, accuracy, mode) >= power))


def rows_for_pair(
    difference: float, changed: float, margin: float, mode: Mode, power: float = POWER
) -> int:
    """Return about how many rows it takes to show that a model is not worse than another.

    One of this true difference is shown with this power, one that should not at RISK. The two
    differ on a share `changed` of the rows.
    """

    def rate(n: int, difference: float) -> float:
        share = max(changed, abs(difference))
        return pair_pass_rate(n, (share + difference) / 2, (share - difference) / 2, margin, mode)

    if difference <= -margin:
        return MOST_ROWS
    enough, bad = fewest_rows(lambda n: rate(n, difference) >= power), -margin - WORSE
    return max(enough, fewest_rows(lambda n: rate(n, bad) <= RISK) if mode == "point" else 0)


def pair_pass_rate(n: int, gained: float, lost: float, margin: float, mode: Mode) -> float:
    """Return how often a model is shown to be not worse by `margin`, or with 0 to be better.

    `gained` and `lost` are the true shares of rows that it alone has right, and the other alone.
    """
    from scipy.stats import binom

    def most_losses(flips: int) -> int:
        if mode == "point":
            return math.floor((flips + margin * n) / 2 + 1e-9) if margin else (flips - 1) // 2
        losses = range(flips + 1)
        return bisect(losses, RISK, key=lambda k: not_inferior_p(flips - k, k, n, margin)) - 1

    changed = gained + lost
    low, high = (int(binom.ppf(end, n, changed)) for end in (1e-6, 1 - 1e-6))
    flips = range(low, high + 1)
    shown = binom.cdf([*map(most_losses, flips)], flips, lost / changed if changed else 0.0)
    return float((binom.pmf(flips, n, changed) * shown).sum())


def fewest_rows(enough: Callable[[int], bool]) -> int:
    """Return about the smallest n that is enough, by bisection; MOST_ROWS where none is."""
    low = high = 1
    while not enough(high) and high < MOST_ROWS:
        low, high = high, min(2 * high, MOST_ROWS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
