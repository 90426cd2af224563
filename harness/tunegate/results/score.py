"""Score: a float with its name, n, interval, misses and signature; and the intervals of a share."""

import math
import operator
from collections.abc import Callable, Sequence
from functools import partialmethod
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from .outcome import Mode, Outcome, record, recordings

if TYPE_CHECKING:
    from .finding import Findings

Z95 = 1.959964  # standard deviations: two-sided 95 %
NO_BOUND = 'mode is "lower", and it has no lower bound: its value was held to the limit'


class Limit(float):
    """A limit from tunegate.toml: a float with the mode by which scores are held to it.

    What is computed from one, such as `limits.accuracy - 0.02`, is a plain float. In the project's
    suites scores are held to plain floats by the same mode.
    """

    mode: Mode

    def __new__(cls, value: float, mode: Mode = "point") -> Self:
        limit = super().__new__(cls, value)
        limit.mode = mode
        return limit

    def _compare(self, other: float, name: str) -> Any:
        """Leave `limits.accuracy <= score` to Score, which records it as an outcome."""
        return NotImplemented if isinstance(other, Score) else getattr(super(), name)(other)

    __ge__: Any = partialmethod(_compare, name="__ge__")
    __gt__: Any = partialmethod(_compare, name="__gt__")
    __le__: Any = partialmethod(_compare, name="__le__")
    __lt__: Any = partialmethod(_compare, name="__lt__")


class Unmeasurable(Exception):
    """A score could not be measured well enough to decide whether it holds its limit."""

    __module__ = "tunegate"  # its public name, which a failed test prints


class Score(float):
    """A measured value that compares like a float and carries how it was measured.

    A comparison with a limit or a plain number is recorded as an outcome of the running test. It
    raises `Unmeasurable` for NaN, and where the answers that are missing decide it. Where the
    limit's mode is "lower", it compares a one-sided 95 % bound (see `held_to`). A comparison with
    None, a limit that is not set, is recorded and true. One with a Score is not recorded, and
    compares the values. A bound that so few rows cannot bring to a limit is unmeasurable.
    """

    name: str
    n: int  # examples
    low: float  # of the two-sided 95 % interval
    high: float
    signature: str  # the metric and its settings, such as `bleu|sacrebleu 2.6|tok:13a`
    hits: int | None  # how many are right, where the score is a proportion
    misses: "Findings | None"  # the rows that count against the score
    errors: int  # answers that could not be had; the value counts all of them wrong
    best_case: float  # the value with all of them right
    lower: float | None  # one-sided 95 % bounds, where `hits` do not give them
    best_case_lower: float | None
    upper: float | None
    best_case_upper: float | None
    scale: tuple[float, float]  # the worst and the best value that there can be
    units: int  # how many independent units the n rows are, such as groups
    estimate: float  # the value; of a bound, the value that it is the bound of
    mode: Literal["point", "lower", "upper"]  # what kind of bound it is
    mode_is_chosen: bool  # `by` said what is held to limits, so their own mode does not count
    detail: str  # text to read with it, such as a confusion matrix
    hints: tuple[str, ...]  # advice, one line each
    not_applicable: bool  # the project has nothing to measure: any limit holds

    def __new__(
        cls, value: float, *, name: str = "score", n: int = 0, low: float = math.nan,
        high: float = math.nan, signature: str = "", hits: int | None = None,
        misses: "Findings | None" = None, errors: int = 0, best_case: float | None = None,
        lower: float | None = None, best_case_lower: float | None = None,
        upper: float | None = None, best_case_upper: float | None = None,
        scale: tuple[float, float] = (0.0, 1.0), units: int | None = None, detail: str = "",
        hints: Sequence[str] = (),
    ) -> "Score":  # fmt: skip
        score = super().__new__(cls, value)
        score.name, score.n, score.low, score.high = name, n, low, high
        score.signature, score.hits, score.misses, score.errors = signature, hits, misses, errors
        score.best_case = float(value) if best_case is None else best_case
        score.lower = lower
        score.best_case_lower = lower if best_case_lower is None else best_case_lower
        score.upper, score.best_case_upper = upper, best_case_upper
        score.scale, score.units = scale, n if units is None else units
        score.estimate, score.mode, score.mode_is_chosen = float(value), "point", False
        score.detail, score.hints, score.not_applicable = detail, tuple(hints), False
        return score

    def by(self, mode: Mode) -> Self:
        """Return the score itself ("point") or its one-sided 95 % lower bound ("lower").

        It is held to any limit as it is, whatever the limit's mode. The bound is that of Clopper &
        Pearson for a proportion of independent rows, else the one that the metric gave. Raises
        ValueError for a score without a bound, and for an unknown mode.
        """
        if mode not in ("point", "lower"):
            raise ValueError(f"unknown mode {mode!r}; valid: point, lower")
        if mode == "point" or self.mode != "point":
            return _rebuild(type(self), float(self), {**self.__dict__, "mode_is_chosen": True})
        bound = self._bound(">=")
        if math.isnan(bound) and self.n:
            raise ValueError(f"{self.name} has no lower bound: hold its value to the limit")
        return bound

    def held_to(self, limit: float, sign: str) -> Self:
        """Return what a comparison with this limit compares: the score, or a bound of it.

        It is a bound where the mode is "lower": the limit's, or for a plain number the project's
        while one of its suites runs. `>=` and `>` compare the lower bound, `<=` and `<` the upper
        one. A score without such a bound is compared itself; for a lower bound a hint says so.
        """
        mode = limit.mode if isinstance(limit, Limit) else recordings[-1].mode
        if isinstance(limit, Score) or mode == "point" or self.mode_is_chosen or math.isnan(self):
            return self
        bound = self._bound(sign)
        if not math.isnan(bound):
            return bound
        hints = (*self.hints, NO_BOUND) if bound.mode == "lower" else self.hints
        return _rebuild(type(self), float(self), {**self.__dict__, "hints": hints})

    def _bound(self, sign: str) -> Self:
        """Return the one-sided 95 % bound that a comparison by this sign holds; NaN for none."""
        side: Literal["lower", "upper"] = "lower" if sign in (">=", ">") else "upper"
        value, best_case = one_sided_bounds(self, sign)
        name = f"{self.name} {side} bound"
        changes = {"name": name, "best_case": best_case, "mode": side, "mode_is_chosen": True}
        return _rebuild(type(self), value, {**self.__dict__, **changes})

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), float(self), self.__dict__)

    def __repr__(self) -> str:
        return f"{self.name} {float(self):.4f}"

    def _compare(self, other: object, compare: Callable[[float, float], bool], sign: str) -> Any:
        __tracebackhide__ = True
        if other is None or self.not_applicable:
            summary = f"{self!r}, {'nothing to judge' if self.not_applicable else 'no limit'}"
            record(Outcome(self.name, "", True, summary, _outcome_data(self, sign, None), self))
            return True
        if not isinstance(other, int | float):
            return NotImplemented
        if isinstance(other, Score):
            return compare(float(self), float(other))
        limit, held = float(other), self.held_to(other, sign)
        # All missing answers wrong, and all right: where the two differ, nobody can decide.
        results = {compare(float(held), limit), compare(held.best_case, limit)}
        passed = None if math.isnan(held) or len(results) > 1 else results.pop()
        if passed is False and held.mode != "point" and compare(held.estimate, limit):
            passed = None if held.units < rows_needed(held, sign, limit) else False
        summary = f"{held!r} {sign} {limit:g}"
        record(Outcome(held.name, "", passed, summary, _outcome_data(held, sign, limit), held))
        if passed is None:
            raise Unmeasurable(_unmeasurable_message(held, sign, limit))
        return passed

    def _hold(self, other: object, compare: Callable[[float, float], bool], sign: str) -> Any:
        __tracebackhide__ = True
        return self._compare(other, compare, sign)  # which a class of scores may override

    __ge__: Any = partialmethod(_hold, compare=operator.ge, sign=">=")
    __gt__: Any = partialmethod(_hold, compare=operator.gt, sign=">")
    __le__: Any = partialmethod(_hold, compare=operator.le, sign="<=")
    __lt__: Any = partialmethod(_hold, compare=operator.lt, sign="<")
    __eq__ = float.__eq__
    __hash__ = float.__hash__


S = TypeVar("S", bound=Score)


def _rebuild(cls: type[S], value: float, state: dict[str, Any]) -> S:
    """Return a score with these attributes: `float.__new__` takes the value alone."""
    score = cls(value)
    score.__dict__.update(state)
    return score


def not_applicable_score(name: str, reason: str) -> Score:
    """Return a score that holds any limit, for a project with nothing to measure; -v shows why."""
    score = Score(math.nan, name=name, hints=(reason,))
    score.not_applicable = True
    return score


def _outcome_data(score: Score, sign: str, limit: float | None) -> dict[str, Any]:
    """Return the score and its comparison as builtins; None for numbers that are not known."""
    numbers = (float(score), score.low, score.high, score.best_case)
    value, low, high, best_case = (x if math.isfinite(x) else None for x in numbers)
    # Where higher is better, the report shows what n examples can prove beside the estimate.
    lower = one_sided_bounds(score, sign)[0] if sign in (">=", ">") else math.nan
    is_idle = score.not_applicable or (limit is None and not score.n and math.isnan(score))
    kept = ("n", "hits", "errors", "signature", "mode", "detail")
    return {
        **{"value": value, "low": low, "high": high, "right": best_case},
        "lower": None if math.isnan(lower) else lower,
        **{name: getattr(score, name) for name in kept}, **{"sign": sign, "limit": limit},
        "hints": [] if is_idle else list(score.hints), "idle": list(score.hints) if is_idle else [],
    }  # fmt: skip


def _unmeasurable_message(score: Score, sign: str, limit: float) -> str:
    if math.isnan(score):
        message = f"{score.name} could not be measured (n = {score.n}): no limit can be held to it"
        return "\n".join([message, *score.hints])
    is_share = score.hits is not None
    wrong, right = format_value(score, is_share), format_value(score.best_case, is_share)
    if score.mode != "point" and score.units < (needed := rows_needed(score, sign, limit)):
        groups = f" in {score.units:,} independent groups" if score.units != score.n else ""
        shown = f"{score.name} {sign} {format_limit(limit, is_share)} is unmeasurable"
        wanted = f"{needed:,} {'independent groups' if groups else 'rows'} are needed"
        return f"{shown} at n = {score.n:,}{groups}: at least {wanted}"
    return (
        f"{score.name} {sign} {format_limit(limit, is_share)} is unmeasurable\n"
        f"{score.errors:,} of {score.n:,} answers could not be had: "
        f"{wrong} with all of them wrong, {right} right\n"
        f"run again: only the missing answers are asked for"
    )


def format_value(value: float, is_share: bool) -> str:
    """Return a value as text: a share as per cent, never rounded to 0 or 100; else a number."""
    value = float(value)  # the comparisons of a Score are recorded
    if not is_share:
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
    return f"{min(max(value, 0.001), 0.999) if 0 < value < 1 else value:.1%}"


def format_limit(limit: float, is_share: bool) -> str:
    """Return a limit as text, with all of its digits; a share as per cent."""
    return f"{limit * 100:.10g}%" if is_share else f"{limit:g}"


def wilson(hits: float, n: int, z: float = Z95) -> tuple[float, float]:
    """Return Wilson's score interval for a proportion; z = 1.96 gives 95 %, two-sided.

    Source: E. B. Wilson (1927), JASA 22:209-212. Unlike p ± z·se it stays inside [0, 1] and
    keeps its coverage near 0 and 1, where the shares lie that gates limit.
    """
    if n == 0:
        return math.nan, math.nan
    p, zz = hits / n, z * z / n
    centre = (p + zz / 2) / (1 + zz)
    half = z * math.sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz)
    # Rounding must not leave the point estimate outside its own interval at 0 and n hits.
    return (0.0 if hits == 0 else centre - half), (1.0 if hits == n else centre + half)


def clopper_pearson(hits: int, n: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided lower bound of a proportion; NaN where n is 0.

    Source: C. J. Clopper & E. S. Pearson (1934), Biometrika 26:404-413. The share under which
    `hits` or more of n would be observed with probability 1 - confidence.
    """
    if not 0 < hits <= n:
        return 0.0 if n else math.nan
    from scipy.special import betaincinv

    return float(betaincinv(hits, n - hits + 1, 1 - confidence))


def one_sided_bounds(score: Score, sign: str) -> tuple[float, float]:
    """Return the 95 % bound that `sign` holds, all errors wrong, then right; NaN for none."""
    is_lower = sign in (">=", ">")
    bound = score.lower if is_lower else score.upper
    best_bound = score.best_case_lower if is_lower else score.best_case_upper
    if bound is not None and best_bound is not None:
        return bound, best_bound
    if score.hits is None:
        return math.nan, math.nan
    best = score.hits + (score.errors if score.best_case >= score.estimate else -score.errors)
    if is_lower:
        return clopper_pearson(score.hits, score.n), clopper_pearson(best, score.n)
    misses, fewest = score.n - score.hits, score.n - best
    return 1 - clopper_pearson(misses, score.n), 1 - clopper_pearson(fewest, score.n)


def rows_needed(score: Score, sign: str, limit: float) -> int:
    """Return with how many independent rows a 95 % bound can hold this limit at all; 0 for any.

    Of n rows without a fault it is 0.05 ** (1 / n) of the way from the worst value to the best,
    which is no change where the limit allows a loss.
    """
    worst, best = score.scale if sign in (">=", ">") else score.scale[::-1]
    best = 0.0 if worst < 0 and limit < 0 else best
    share = (limit - worst) / (best - worst)
    return math.ceil(round(math.log(0.05) / math.log(share), 9)) if 0 < share < 1 else 0


def proportion(
    name: str, hits: int, n: int, *, misses: "Findings | None" = None, errors: int = 0,
    higher_is_better: bool = True, signature: str = "", detail: str = "", hints: Sequence[str] = (),
) -> Score:  # fmt: skip
    """Return hits / n as a Score with Wilson's interval; NaN for n = 0; errors count as worst."""
    low, high = wilson(hits, n)
    best_hits = hits + errors if higher_is_better else hits - errors
    return Score(
        hits / n if n else math.nan,
        name=name, n=n, low=low, high=high, hits=hits, misses=misses, errors=errors,
        best_case=best_hits / n if n else math.nan, signature=signature, detail=detail, hints=hints,
    )  # fmt: skip
