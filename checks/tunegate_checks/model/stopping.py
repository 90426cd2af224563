"""Rules that decide a test before every row is asked: `@pytest.mark.decided_by(rule=...)`.

Looks, the numbers of asked rows after which one may stop, are fixed beforehand. The probability of
each way to a boundary is exact, spent evenly: K. Lan & D. DeMets (1983), Biometrika 70:659-663.
Wrong rows are drawn without replacement; what two models differ in is a sample of a population.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from tunegate import Dataset, Limits, Predictions
from tunegate.data.canonical import request_digest
from tunegate.results.labels import LabelRule, label_predictions

from ..stats import Array, errors_in_all, not_inferior_p
from .classification import right
from .metric import pair_predictions, with_errors_right

Looks: TypeAlias = Sequence[Collection[int]]  # the rows that are asked by then
Verdict: TypeAlias = tuple[bool, str] | None  # whether it holds, and why; None for nothing yet
# Of one more, by the count so far and the rows drawn.
Chance: TypeAlias = "Callable[[Array, int], Array | float]"
VERSION = 1  # of the rules: a scorecard names it
FALSE_PASS, FALSE_FAIL = 0.01, 0.05  # how often all rows would say otherwise, at most
ALPHA = 0.05  # how often a claim about the population is wrong, at most
SMALLEST = 200  # with fewer rows only what is certain stops
ALPHA_EARLY, ALPHA_LEFT = 0.01, 0.04  # of ALPHA, about two models: before all are asked, and then


@dataclass(frozen=True)
class Accuracy:
    """Decides `accuracy >= limits.accuracy` of the rows but `near_rows`, and nothing beside it.

    The fields are fixtures. `certain`: only where no other answer could change it.
    """

    test: Dataset
    near_rows: Collection[int]
    label_rule: LabelRule
    limits: Limits
    certain: bool

    def __call__(self, so_far: Predictions, looks: Looks, look: int) -> Verdict:
        """Return whether it holds, and why; None for nothing yet.

        In mode "lower" rows that are not independent decide nothing: not their number counts.
        """
        limit, mode = float(self.limits.accuracy), self.limits.mode
        ends = tuple(len({*rows} - {*self.near_rows}) for rows in looks)
        n, allowed = ends[-1], errors_in_all(ends[-1], limit, mode)
        if not ends[look] or allowed < 0 or (mode == "lower" and _repeats(self.test)):
            return None
        clean = so_far.without(self.near_rows)
        missed = [r for r in label_predictions(clean, self.label_rule) if not r.right]
        wrong, surely = len(missed), sum(not row.prediction.error for row in missed)
        passes, fails = certain(n, allowed, ends)
        is_certain = surely >= fails[look] or wrong <= passes[look]
        if not is_certain | self.certain:
            passes, fails = spending(n, allowed, ends, limit if mode == "lower" else None)
        if not (passed := wrong <= passes[look]) and surely < fails[look]:
            return None
        risk = f"all {n:,} would say otherwise: {FALSE_PASS if passed else FALSE_FAIL:.0%} at most"
        why = f"above {limit:g}, 95 % sure" if passed and mode == "lower" else risk
        why = "no other answer could change it" if is_certain else why
        low, high = interval(n, ends[look], wrong)
        counts = f"{wrong:,} of {ends[look]:,} wrong, {low:.1%} to {high:.1%} right of all {n:,}"
        verdict = f"accuracy >= {limit:.10g} ({mode}) {'passes' if passed else 'fails'} early"
        return passed, f"{verdict}: {counts}; {why} (rule {VERSION})"


@dataclass(frozen=True)
class PairedClaim:
    """Decides a claim about two models where its test takes `alpha=ALPHA_LEFT`.

    Early claims are wrong in ALPHA_EARLY of the cases at most, which with ALPHA_LEFT is 5 %. One
    that is 3 points better, or as good where it must not be worse, fails early in 5 % at most.
    """

    test: Dataset
    near_rows: Collection[int]
    label_rule: LabelRule
    certain: bool

    def decide(
        self, so_far: Predictions, looks: Looks, look: int, other: Predictions | None,
        margin: float | None,
    ) -> Verdict:  # fmt: skip
        """Return whether the claim is shown, and why; None for nothing yet, or for no claim."""
        n = len({*looks[-1]} - {*self.near_rows})
        new, old = pair_predictions(so_far.without(self.near_rows), other or Predictions([]))
        if not (t := len(new)) or _repeats(self.test):
            return None
        correct = right(self.label_rule).statistics
        worst = correct(new)[:, 0] - correct(with_errors_right(old))[:, 0]
        best = correct(with_errors_right(new))[:, 0] - correct(old)[:, 0]
        gained, lost = int((worst > 0).sum()), int((worst < 0).sum())
        most, fewest = int((best > 0).sum()), int((best < 0).sum())
        why, aim = "no other answer could change it", 0.03 if margin is None else 0.0
        passed = not_inferior_p(gained, lost + n - t, n, margin or 0.0) <= ALPHA_LEFT
        if not passed and not_inferior_p(most + n - t, fewest, n, margin or 0.0) <= ALPHA_LEFT:
            if self.certain or n < SMALLEST:
                return None
            if margin is None:
                asked = [[p.row in rows for p in new] for rows in looks[: look + 1]]
                flips = [int(abs(worst[rows]).sum()) for rows in asked]
                passed = lost <= sign_test(flips, [*map(sum, asked)], n)[-1]
            else:
                passed = evidence(gained, lost, t, margin) >= 1 / ALPHA_EARLY
            if not passed and evidence(fewest, most, t, aim) < 1 / FALSE_FAIL:
                return None
            like = f"of models {'3 points better' if aim else 'as good'} {FALSE_FAIL:.0%} at most"
            why = f"wrong in {ALPHA_EARLY:.0%} at most" if passed else like
        claim = "better" if margin is None else f"not worse by {margin:g}"
        shown = "passes" if passed else "is not shown, fails"
        counts = f"{gained:,} gained, {lost:,} lost on {t:,} of {n:,}"
        return passed, f"{claim} {shown} early: {counts}; {why} (rule {VERSION})"


@dataclass(frozen=True)
class BetterThanBaseline(PairedClaim):
    """Decides `compare.superior(clean, over=baseline, alpha=ALPHA_LEFT)`."""

    baseline: Predictions | None

    def __call__(self, so_far: Predictions, looks: Looks, look: int) -> Verdict:
        """Return whether it holds, and why; None for nothing yet, or without a baseline."""
        return self.decide(so_far, looks, look, self.baseline, None)


@dataclass(frozen=True)
class NoWorseThanIncumbent(PairedClaim):
    """Decides `compare.not_inferior(clean, incumbent, margin=limits.margin, alpha=ALPHA_LEFT)`."""

    incumbent: Predictions | None
    limits: Limits

    def __call__(self, so_far: Predictions, looks: Looks, look: int) -> Verdict:
        """Return whether it holds, and why; None for nothing yet, or without an incumbent."""
        return self.decide(so_far, looks, look, self.incumbent, float(self.limits.margin))


@cache
def _repeats(test: Dataset) -> bool:
    """Tell whether two rows are of one group, or the same request."""
    groups = [example.group for example in test if example.group]
    requests = [request_digest(example.given) for example in test]
    return len({*groups}) < len(groups) or len({*requests}) < len(requests)


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
    """Return the 95 % interval of n rows at any stop: PPR, Waudby-Smith & Ramdas (NeurIPS 2020)."""
    import numpy as np
    from scipy.stats import hypergeom

    in_all = np.arange(wrong, n - asked + wrong + 1)
    likelihood = hypergeom.pmf(wrong, n, in_all, asked)
    likely = in_all[likelihood / likelihood.sum() > 0.05 / (n + 1)]
    return float(1 - likely.max() / n), float(1 - likely.min() / n)
