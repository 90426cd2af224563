"""Statistics that know no model: bounds of means, two shares on the same examples, kappa, power."""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tunegate.data.comparison import connected, group_indices
from tunegate.results.outcome import Mode
from tunegate.results.prediction import Prediction
from tunegate.results.score import Z95, Score, clopper_pearson, proportion

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
Combine: TypeAlias = "Callable[[Array, int], Array]"
Ratings: TypeAlias = Sequence[Hashable]
Z90 = 1.644854  # one-sided 95 %
P_VALUE_RESAMPLES = 10_000  # enough to see a p of 0.001
_RESAMPLES = (1_000, 4_000)  # of an interval: fewer where there are many examples
_MAX_WEIGHTS = 2_000_000  # resamples times units held in memory at once
_STEPS = 200  # of a numerical integral


class Estimate(NamedTuple):
    """A value with its 95 % interval and its one-sided 95 % bounds."""

    value: float
    low: float
    high: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Units:
    """What is independent among rows: identical requests are one, and so are rows of a group.

    `n` counts the requests and `count` the units. Where these are fewer than the rows, `of_row` has
    the unit of each row, and `weight` how much the row counts of its request.
    """

    n: int
    count: int
    of_row: Array | None = None
    weight: Array | None = None

    @classmethod
    def of(cls, rows: Sequence[Prediction]) -> Units:
        """Return the units of predictions, by their `request` and their `group`."""
        numbered = [*enumerate(rows)]
        requests = [*group_indices(numbered, lambda p: p[1].request or p[0]).values()]
        groups = [*group_indices(numbered, lambda p: p[1].group or p[0]).values()]
        if len(units := connected(len(rows), [*requests, *groups])) == len(rows):
            return cls(len(rows), len(rows))
        import numpy as np

        of_row, weight = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
        for unit, members in enumerate(units):
            of_row[members] = unit
        for copies in requests:
            weight[copies] = 1 / len(copies)
        return cls(len(requests), len(units), of_row, weight)

    def totals(self, statistics: Array) -> tuple[Array, Array]:
        """Return the sums of each unit and its size, a request counting as the mean of its rows."""
        import numpy as np

        if self.of_row is None or self.weight is None:
            return statistics, np.ones(len(statistics))
        sums = np.zeros((self.count, statistics.shape[1]))
        np.add.at(sums, self.of_row, statistics * self.weight[:, None])
        return sums, np.bincount(self.of_row, self.weight).round(9)

    def score(self, worst: Estimate, best: Estimate, signature: str, **facts: Any) -> Score:
        """Return a score of the estimates with all errors wrong, and right; no bound beats one."""
        if self.count < self.n:
            signature += f"; {self.count:,} independent groups"
        return Score(
            worst.value, low=min(worst.low, worst.value), high=max(worst.high, worst.value),
            lower=min(worst.lower, worst.value), upper=max(worst.upper, worst.value),
            best_case=best.value, best_case_lower=min(best.lower, best.value), n=self.n,
            best_case_upper=max(best.upper, best.value), units=self.count, signature=signature,
            **facts,
        )  # fmt: skip


def resampled_sums(
    statistics: Array, resamples: int = 0, units: Units | None = None, added: Array | None = None
) -> Array:
    """Return the column sums of resamples: (rows, k) in, (resamples, k) out.

    Each resample gives each unit a random weight, exponential and independent; the sums are scaled
    to the number of requests: the Bayesian bootstrap, D. B. Rubin (1981), Annals of Statistics
    9:130-134. Each row of `added` stands for what was not seen: as one unit more, as large as the
    one that a request is in on average. With the worst value that there can be added, the 5 %
    quantile of a mean is the lower bound of N. Gaffke (2005), Mathematical Methods of Statistics
    14:451-467, which for shares is that of Clopper & Pearson (see E. Learned-Miller & P. Thomas
    (2019), arXiv:1905.06208). The same number of units draws the same weights: two models resampled
    so are compared pair by pair.
    """
    import numpy as np

    units = units or Units(len(statistics), len(statistics))
    rows, sizes = units.totals(np.asarray(statistics))
    if added is not None:
        size = (sizes**2).sum() / sizes.sum()
        rows = np.vstack([rows, added * size])
        sizes = np.append(sizes, np.full(len(added), size))
    step = max(_MAX_WEIGHTS // len(rows), 1)
    resamples = resamples or min(max(step, _RESAMPLES[0]), _RESAMPLES[1])
    random, sums = np.random.default_rng(0), []
    for done in range(0, resamples, step):
        weights = random.standard_exponential((min(step, resamples - done), len(rows)))
        sums.append(weights @ rows * (units.n / (weights @ sizes))[:, None])
    return np.vstack(sums)


def estimate(
    statistics: Array, combine: Combine, extremes: tuple[Array, Array], units: Units
) -> Estimate:
    """Return what `combine` makes of the column sums, with bounds by `resampled_sums`.

    `extremes` are the worst and the best rows that could have been seen as well.
    """
    import numpy as np

    sums = (resampled_sums(statistics, units=units, added=added) for added in extremes)
    worst, best = (combine(resampled, units.n) for resampled in sums)
    low, lower, upper, high = *np.quantile(worst, [0.025, 0.05]), *np.quantile(best, [0.95, 0.975])
    value = combine(statistics.sum(axis=0), len(statistics))
    return Estimate(*map(float, (value, low, high, lower, upper)))


def estimate_mean(
    values: Sequence[float] | Array, units: Units, low: float = 0, high: float = 1
) -> Estimate:
    """Return the mean of values between `low` and `high`, with its bounds.

    They are Clopper & Pearson's where each unit has one of these two, and all are of one size.
    """
    import numpy as np

    if not len(rows := np.asarray(values, dtype=np.float64)[:, None]):
        return Estimate(*[math.nan] * 5)
    sums, sizes = units.totals(rows)
    means, n = (sums[:, 0] / sizes).round(9), len(sizes)
    if len({*sizes}) == 1 and {*means} <= {low, high}:
        hits = int((means == high).sum())
        ends = [clopper_pearson(*of, c) for c in (0.975, 0.95) for of in ((hits, n), (n - hits, n))]
        shares = ends[0], 1 - ends[1], ends[2], 1 - ends[3]
        return Estimate(float(rows.mean()), *(low + (high - low) * share for share in shares))
    return estimate(rows, average, (np.array([[low]]), np.array([[high]])), units)


def average(sums: Array, n: int) -> Array:
    """Combine sums of one column into a mean."""
    mean: Array = sums[..., 0] / n
    return mean


def share(
    name: str, hits: Sequence[bool], rows: Sequence[Prediction], *,
    missing: Sequence[bool] | None = None, higher_is_better: bool = True, **facts: Any,
) -> Score:  # fmt: skip
    """Return `proportion` of the rows that are hits, with the bounds of their units.

    `missing` rows, by default those with an error, are no hits where higher is better, else hits.
    """
    missing = [bool(p.error) for p in rows] if missing is None else missing
    units, n = Units.of(rows), len(rows)
    if units.count == n:
        facts |= {"errors": sum(missing), "higher_is_better": higher_is_better}
        return proportion(name, sum(hits), n, **facts)
    import numpy as np

    best = [higher_is_better if m else hit for hit, m in zip(hits, missing, strict=True)]
    sums = (units.totals(np.array(side)[:, None])[0].sum() for side in (hits, missing))
    hit_count, errors = (round(float(total)) for total in sums)
    return units.score(
        estimate_mean(hits, units), estimate_mean(best, units), facts.pop("signature", ""),
        name=name, hits=hit_count, errors=errors, **facts,
    )  # fmt: skip


def mcnemar_p(gained: int, lost: int) -> float:
    """Return the two-sided exact p-value of McNemar's test: gains and losses equally likely.

    Source: Q. McNemar (1947), Psychometrika 12:153-157; exact, by the binomial distribution.
    """
    flips = gained + lost
    p = not_inferior_p(max(gained, lost), min(gained, lost), flips, 0.0) if flips else 1.0
    return min(1.0, 2 * p)


@cache
def difference_interval(gained: int, lost: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Return the interval of (gained - lost) / n; z = 1.96 gives 95 %, two-sided.

    Its ends are the margins at which `not_inferior_p`, of either model, is the tail beyond z.
    """
    if n == 0:
        return math.nan, math.nan
    tail = math.erfc(z / math.sqrt(2)) / 2

    def lower_end(gained: int, lost: int) -> float:
        low, high = -1.0, 1.0  # the p-value falls with the margin
        for _ in range(22):  # to a millionth
            middle = (low + high) / 2
            is_low = not_inferior_p(gained, lost, n, middle) > tail
            low, high = (middle, high) if is_low else (low, middle)
        return -high

    return lower_end(gained, lost), -lower_end(lost, gained)


def not_inferior_p(gained: int, lost: int, n: int, margin: float) -> float:
    """Return the one-sided p-value of a difference above -margin; NaN where n is 0.

    With a margin of 0 it is the exact p-value of McNemar's test, and without a gain Clopper &
    Pearson's of the losses. In between it is that of Gaffke's bound (see `resampled_sums`): one
    loss is added, and with G, L and R, Dirichlet distributed, for the shares of gains, losses and
    the rest, it is P(L - G >= margin). L + G and G / (L + G) are independent.
    """
    if n == 0:
        return math.nan
    import numpy as np
    from scipy.special import betainc, betaincinv

    alike = max(n - gained - lost, 1e-9)
    if not gained:
        return float(1 - betainc(lost + 1, alike, min(max(margin, 0.0), 1.0)))
    flips = betaincinv(gained + lost + 1, alike, (np.arange(_STEPS) + 0.5) / _STEPS)
    return float(betainc(gained, lost + 1, np.clip((1 - margin / flips) / 2, 0, 1)).mean())


def kappa(
    people: Ratings, judge: Ratings, categories: Ratings, *, quadratic: bool = False
) -> Score:
    """Return kappa of two raters over the same things, with its 95 % interval.

    `quadratic`: the categories are steps of a scale, and two steps apart is four times as bad as
    one. NaN where both raters use one category only, since chance then agrees always. Source: J.
    Cohen (1960, 1968); large-sample interval of J. L. Fleiss, J. Cohen & B. S. Everitt (1969),
    Psychological Bulletin 72:323-327, cut off at -1 and 1.
    """
    n, size = len(people), len(categories)
    if not n:
        return Score(math.nan, name="kappa")
    import numpy as np

    joint = Counter(zip(map(categories.index, people), map(categories.index, judge), strict=True))
    p = np.array([[joint[i, j] / n for j in range(size)] for i in range(size)])
    apart = np.subtract.outer(range(size), range(size))
    w = 1 - (apart / max(size - 1, 1)) ** 2 if quadratic else (apart == 0).astype(float)
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, chance = float((w * p).sum()), float(rows @ w @ columns)
    value = error = math.nan
    if chance <= 1 - 1e-12:
        value = (observed - chance) / (1 - chance)
        # The variance is computed about the mean: the published formula cancels to 0 near 0.
        x = w * (1 - chance) - ((w @ columns)[:, None] + rows @ w) * (1 - observed)
        mean = observed * chance - 2 * chance + observed
        error = math.sqrt((p * (x - mean) ** 2).sum() / n) / (1 - chance) ** 2
    low, high = max(value - Z95 * error, -1.0), min(value + Z95 * error, 1.0)
    agreement_count = sum(first == second for first, second in zip(people, judge, strict=True))
    kind = "quadratic weights" if quadratic else "unweighted"
    return Score(
        value, name="kappa", n=n, low=low, high=high,
        signature=f"Cohen's kappa, {kind}; {agreement_count} of {n} alike",
    )  # fmt: skip


# How many rows show what: how often a model of given accuracy passes, and sample sizes. Exact, by
# C. J. Clopper & E. S. Pearson (1934), Biometrika 26:404-413; of two models on the same rows, by
# those that they differ on, as in `mcnemar_p`.
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


def visible_difference(n: int, changed: float) -> float:
    """Return the smallest difference of two shares that n rows show, 0..1.

    By a two-sided test at 5 % with 80 % power (normal approximation). `changed` is the share of the
    rows that one model alone has right; of two models scored apart, each right on p, 2 p (1 - p).
    """
    return (Z95 + 0.8416) * math.sqrt(changed / n)


def fewest_rows(enough: Callable[[int], bool]) -> int:
    """Return about the smallest n that is enough, by bisection; MOST_ROWS where none is."""
    low = high = 1
    while not enough(high) and high < MOST_ROWS:
        low, high = high, min(2 * high, MOST_ROWS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
