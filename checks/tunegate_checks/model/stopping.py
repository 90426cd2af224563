"""Rules that decide a test before every row is asked: `@pytest.mark.decided_by(rule=...)`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from tunegate import Dataset, Limits, Predictions
from tunegate.data.canonical import request_digest
from tunegate.results.labels import LabelRule, label_predictions

from .. import sequential
from ..sequential import ALPHA_EARLY, ALPHA_LEFT, FALSE_FAIL, FALSE_PASS, SMALLEST, VERSION
from ..stats import errors_in_all, not_inferior_p
from .classification import right
from .metric import pair_predictions, with_errors_right

Looks: TypeAlias = Sequence[Collection[int]]  # the rows that are asked by then
Verdict: TypeAlias = tuple[bool, str] | None  # whether it holds, and why; None for nothing yet


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
        passes, fails = sequential.certain(n, allowed, ends)
        is_certain = surely >= fails[look] or wrong <= passes[look]
        if not is_certain | self.certain:
            claimed = limit if mode == "lower" else None
            passes, fails = sequential.spending(n, allowed, ends, claimed)
        if not (passed := wrong <= passes[look]) and surely < fails[look]:
            return None
        risk = f"all {n:,} would say otherwise: {FALSE_PASS if passed else FALSE_FAIL:.0%} at most"
        why = f"above {limit:g}, 95 % sure" if passed and mode == "lower" else risk
        why = "no other answer could change it" if is_certain else why
        low, high = sequential.interval(n, ends[look], wrong)
        counts = f"{wrong:,} of {ends[look]:,} wrong, {low:.1%} to {high:.1%} right of all {n:,}"
        verdict = f"accuracy >= {limit:.10g} ({mode}) {'passes' if passed else 'fails'} early"
        return passed, f"{verdict}: {counts}; {why} (rule {VERSION})"


@dataclass(frozen=True)
class _Comparison:
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
                passed = lost <= sequential.sign_test(flips, [*map(sum, asked)], n)[-1]
            else:
                passed = sequential.evidence(gained, lost, t, margin) >= 1 / ALPHA_EARLY
            if not passed and sequential.evidence(fewest, most, t, aim) < 1 / FALSE_FAIL:
                return None
            like = f"of models {'3 points better' if aim else 'as good'} {FALSE_FAIL:.0%} at most"
            why = f"wrong in {ALPHA_EARLY:.0%} at most" if passed else like
        claim = "better" if margin is None else f"not worse by {margin:g}"
        shown = "passes" if passed else "is not shown, fails"
        counts = f"{gained:,} gained, {lost:,} lost on {t:,} of {n:,}"
        return passed, f"{claim} {shown} early: {counts}; {why} (rule {VERSION})"


@dataclass(frozen=True)
class BetterThanBaseline(_Comparison):
    """Decides `compare.superior(clean, over=baseline, alpha=ALPHA_LEFT)`."""

    baseline: Predictions | None

    def __call__(self, so_far: Predictions, looks: Looks, look: int) -> Verdict:
        """Return whether it holds, and why; None for nothing yet, or without a baseline."""
        return self.decide(so_far, looks, look, self.baseline, None)


@dataclass(frozen=True)
class NoWorseThanIncumbent(_Comparison):
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
