"""How many rows show what: pass rates of a model whose true accuracy is given, and sample sizes.

All exact, from the binomial distribution: C. J. Clopper & E. S. Pearson (1934), Biometrika
26:404-413; two models on the same rows by the rows that they differ on, Q. McNemar (1947),
Psychometrika 12:153-157, with a margin by `stats.not_inferior_p`.
"""

from __future__ import annotations

import math
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
    """Return about how many examples a test set needs so that the model passes at most at `risk`.

    The number is approximate, since the risk is no monotonic function of it: it rises a little
    wherever one more error is allowed.
    """
    return fewest_rows(lambda n: pass_rate(n, limit, accuracy) <= risk)


def worst_model(limit: float, mode: Mode) -> float:
    """Return the accuracy of a model that should pass at RISK alone."""
    return limit if mode == "lower" else max(limit - WORSE, 0.0)


def worst_pair(margin: float, mode: Mode) -> float:
    """Return the difference of a model that should pass at RISK alone."""
    return 0 - margin if mode == "lower" else -margin - WORSE


def rows_for_limit(limit: float, accuracy: float, mode: Mode, power: float = POWER) -> int:
    """Return about how many rows `accuracy >= limit` takes.

    A model of this true accuracy then passes with this power, the `worst_model` at RISK.
    """
    if accuracy <= limit:
        return MOST_ROWS
    enough = fewest_rows(lambda n: pass_rate(n, limit, accuracy, mode) >= power)
    return max(enough, examples_needed(limit, worst_model(limit, mode)) if mode == "point" else 0)


def rows_for_pair(
    difference: float, changed: float, margin: float, mode: Mode, power: float = POWER
) -> int:
    """Return about how many rows it takes to show that a model is not worse than another.

    One of this true difference is shown with this power, the `worst_pair` at RISK. The two differ
    on a share `changed` of the rows.
    """

    def rate(n: int, difference: float) -> float:
        share = max(changed, abs(difference))
        return pair_pass_rate(n, (share + difference) / 2, (share - difference) / 2, margin, mode)

    if difference <= -margin:
        return MOST_ROWS
    enough, worst = fewest_rows(lambda n: rate(n, difference) >= power), worst_pair(margin, mode)
    return max(enough, fewest_rows(lambda n: rate(n, worst) <= RISK) if mode == "point" else 0)


def pair_pass_rate(n: int, gained: float, lost: float, margin: float, mode: Mode) -> float:
    """Return how often a model is shown to be not worse by `margin`, or with 0 to be better.

    `gained` and `lost` are the true shares of rows that it alone has right, and the other alone.
    """
    from scipy.stats import binom

    def most_losses(flips: int, most: int) -> int:
        if mode == "point":
            return math.floor((flips + margin * n) / 2 + 1e-9) if margin else (flips - 1) // 2
        while most < flips and not_inferior_p(flips - most - 1, most + 1, n, margin) <= RISK:
            most += 1
        while most >= 0 and not_inferior_p(flips - most, most, n, margin) > RISK:
            most -= 1
        return most

    changed = gained + lost
    low, high = (int(binom.ppf(end, n, changed)) for end in (1e-6, 1 - 1e-6))
    flips, most = range(low, high + 1), [-1]
    for count in flips:  # one flip more allows half a loss more, about
        most.append(most_losses(count, most[-1]))
    share_lost = lost / changed if changed else 0.0
    chances = binom.pmf(flips, n, changed) * binom.cdf(most[1:], flips, share_lost)
    return float(chances.sum())


def fewest_rows(enough: Callable[[int], bool]) -> int:
    """Return about the smallest n that is enough, by bisection; MOST_ROWS where none is."""
    low = high = 1
    while not enough(high) and high < MOST_ROWS:
        low, high = high, min(2 * high, MOST_ROWS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
