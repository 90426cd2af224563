"""When the rows asked so far decide about accuracy, or about two models on the same rows.

Looks, the numbers of asked rows after which one may stop, are fixed beforehand. The probability of
each way to a boundary is exact, spent evenly: K. Lan & D. DeMets (1983), Biometrika 70:659-663.
Wrong rows are drawn without replacement; what two models differ in is a sample of a population.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    # Of one more, by the count so far and the rows drawn.
    Chance = Callable[[Array, int], Array | float]

VERSION = 1  # of the rules: a scorecard names it
FALSE_PASS, FALSE_FAIL = 0.01, 0.05  # how often all rows would say otherwise, at most
ALPHA = 0.05  # how often a claim about the population is wrong, at most
SMALLEST = 200  # with fewer rows only what is certain stops
ALPHA_EARLY, ALPHA_LEFT = 0.01, 0.04  # of ALPHA, about two models: before all are asked, and then


def certain(n: int, allowed: int, looks: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return at each look the most wrong rows of a pass, -1 for none, and the fewest of a fail.

    No answer to another row changes the verdict there. `allowed` is the most in all n that passes.
    """
    return [max(allowed - (n - t), -1) for t in looks], [allowed + 1] * len(looks)


@cache
def spending(
    n: int, allowed: int, looks: tuple[int, ...], limit: float | None = None
) -> tuple[list[int], list[int]]:
    """Return the boundaries of `certain`, moved to where the verdict would seldom be another.

    A model that all rows fail passes at FALSE_PASS at most, one that they pass fails at FALSE_FAIL.
    With `limit` a pass, on n rows too, says `accuracy > limit` of the population: at ALPHA wrongly.
    """
    passes, fails = certain(n, allowed, looks)
    if n < SMALLEST or not 0 <= allowed < n:
        return passes, fails
    if limit is None:
        few_wrong = _spend(looks, n, FALSE_PASS, _share_of(allowed + 1, n))[0]
    else:
        few_wrong = _population_passes(n, allowed, looks, limit)
    few_right = _spend(looks, n, FALSE_FAIL, _share_of(n - allowed, n))[0]
    most_wrong = [t - few if few >= 0 else n for t, few in zip(looks, few_right, strict=True)]
    return [*map(max, passes, few_wrong)], [*map(min, fails, most_wrong)]


def _population_passes(n: int, allowed: int, looks: Sequence[int], limit: float) -> list[int]:
    """Return the boundaries whose looks spend what Clopper & Pearson's bound leaves of ALPHA."""

    def chance(count: Array, drawn: int) -> float:
        return 1 - limit

    low, high = 0.0, ALPHA
    for _ in range(16):
        middle = (low + high) / 2
        _, q, spent = _spend(looks[:-1], n, middle, chance)
        total = spent + float(_walk(q, range(looks[-2], n), chance)[: allowed + 1].sum())
        low, high = (middle, high) if total <= ALPHA else (low, middle)
    return [*_spend(looks[:-1], n, low, chance)[0], allowed]


def _spend(
    looks: Sequence[int], n: int, alpha: float, chance: Chance
) -> tuple[list[int], Array, float]:
    """Return at each look the highest count that alpha pays for, which grows with the rows asked.

    With them, the probabilities of the counts that did not stop, and what was spent.
    """
    import numpy as np

    q, spent, boundary = np.ones(1), 0.0, []
    for before, t in zip((0, *looks), looks, strict=False):
        q = _walk(q, range(before, t), chance)
        few, spent = _stop(q, spent, alpha * t / n)
        boundary.append(few)
    return boundary, q, spent


def _stop(q: Array, spent: float, budget: float) -> tuple[int, float]:
    """Remove the lowest counts that the budget pays for from q; return the highest, or -1."""
    mass = spent + q.cumsum()
    few = int(mass.searchsorted(budget, side="right"))
    q[:few] = 0
    return few - 1, float(mass[few - 1]) if few else spent


def sign_test(flips: Sequence[int], looks: Sequence[int], n: int) -> list[int]:
    """Return at each look the most losses among the flips so far that show a gain; -1 for none.

    A flip is a row on which one of two models alone is right, lost or gained with the same chance
    where neither is better: then a look of these spends ALPHA_EARLY, by the rows asked of n.
    """
    import numpy as np

    q, spent, boundary = np.ones(1), 0.0, []
    for before, flipped, t in zip((0, *flips), flips, looks, strict=False):
        new = flipped - before
        q = np.convolve(q, [math.comb(new, lost) / 2**new for lost in range(new + 1)])
        few, spent = _stop(q, spent, ALPHA_EARLY * t / n)
        boundary.append(few)
    return boundary


def evidence(gained: float, lost: float, n: int, margin: float) -> float:
    """Return the evidence of n rows that a model is not worse than another by `margin`.

    Where it is as much worse, 1 / alpha is ever reached with probability alpha at most.
    """
    import numpy as np

    bets = np.array([gained, n - gained - lost, lost]) @ _log_bets(margin)
    return float(np.exp(min(np.logaddexp.reduce(bets) - np.log(bets.size), 700)))


@cache
def _log_bets(margin: float) -> Array:
    """Return what bets make of gain, no flip, loss (Waudby-Smith & Ramdas 2024, JRSS-B 86:1-27)."""
    import numpy as np

    x = (np.arange(30) + 0.5) / 30 / (1 - margin)
    return np.log1p(np.stack([x * (1 + margin), x * margin, -x * (1 - margin)]))


def _walk(q: Array, rows: range, chance: Chance) -> Array:
    """Return the probabilities of each count after these rows, from those before them."""
    import numpy as np

    for drawn in rows:
        p = chance(np.arange(len(q)), drawn)
        q = np.append(q * (1 - p), 0) + np.append(0, q * p)
    return q


def _share_of(marked: int, n: int) -> Chance:
    """Return the chance that the next row is one of those marked, of n without replacement."""
    return lambda count, drawn: (marked - count).clip(0) / (n - drawn)


def interval(n: int, asked: int, wrong: int) -> tuple[float, float]:
    """Return the 95 % interval of accuracy on all n rows, whenever one stopped.

    I. Waudby-Smith & A. Ramdas (2020), NeurIPS 33: the ratio of prior and posterior.
    """
    import numpy as np
    from scipy.stats import hypergeom

    in_all = np.arange(wrong, n - asked + wrong + 1)
    likelihood = hypergeom.pmf(wrong, n, in_all, asked)
    likely = in_all[likelihood / likelihood.sum() > 0.05 / (n + 1)]
    return float(1 - likely.max() / n), float(1 - likely.min() / n)
