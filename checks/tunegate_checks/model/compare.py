"""Comparing two models on the same examples: is the new one better, or at least not worse?

Paired throughout. Accuracy: McNemar's exact test, Bonett & Price's interval. Everything else: the
paired bootstrap, 10,000 resamples. All p-values are one-sided, held to alpha = 0.05.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from tunegate.findings import Findings
from tunegate.ledger import Judgement, record
from tunegate.predictions import Predictions
from tunegate.score import Score, Unmeasurable, shown

from . import flips
from .classification import right
from .metric import Metric
from .paired import Pair, paired
from .spared import spared

ALPHA = 0.05


@dataclass(frozen=True, repr=False)
class Comparison:
    """What was claimed of two models, and the evidence; true where p <= alpha.

    `difference`: the candidate's score less the other's, a Score with its 95 % interval; `p`:
    one-sided, with every missing answer counted against the candidate; `p_if_right`: in its favour;
    `flips`: the examples on which they differ. `margin`, of a claim that it is not inferior, is in
    units of the metric. Asking whether it holds is a judgement: the running test records it; where
    missing answers decide, it raises Unmeasurable.
    """

    metric: str
    difference: Score
    before: float
    after: float
    p: float
    p_if_right: float
    method: str
    flips: Findings
    margin: float | None = None
    alpha: float = ALPHA
    binary: bool = field(default=False)

    @property
    def claim(self) -> str:
        """`accuracy better`, `chrF not worse by 1`."""
        if self.margin is None:
            return f"{self.metric} better"
        return (
            f"{self.metric} not worse by {shown(self.margin, True) if self.binary else self.margin}"
        )

    def holds(self) -> bool | None:
        """Say whether the claim is shown, and record nothing; None where it cannot be said."""
        return decided(self.p, self.p_if_right, self.alpha)

    def __bool__(self) -> bool:
        __tracebackhide__ = True
        return judged(self.holds(), self.difference.name, repr(self), self.facts(), self.flips)

    def facts(self) -> dict[str, Any]:
        """Return the comparison as builtins: the score table shows it, the scorecard keeps it."""
        numbers = {"low": self.difference.low, "high": self.difference.high, "p": self.p}
        known = {k: None if math.isnan(v) else v for k, v in numbers.items()}
        value = float(self.difference)
        more = {"n": self.difference.n, "errors": self.difference.errors, "hits": None}
        limit = 0.0 if self.margin is None else -self.margin
        said = {"sign": ">", "limit": limit, "signature": self.method, "alpha": self.alpha}
        return {**known, **more, **said, "value": None if math.isnan(value) else value}

    def __repr__(self) -> str:
        """One line: all that pytest shows of `assert superior(...)`."""
        was, now = (shown(value, self.binary) for value in (self.before, self.after))
        kinds = self.flips.kinds
        flips = f", {kinds.get('gained', 0):,} gained, {kinds.get('lost', 0):,} lost"
        shown_flips = flips if kinds else ""
        p = f"p = {self.p:.2g}, {self.method}"
        return f"<{self.claim}: {was} became {now} on {self.difference.n:,}{shown_flips}; {p}>"


def decided(p: float, p_if_right: float, alpha: float) -> bool | None:
    """Say whether p <= alpha; None where that depends on what the missing answers would be."""
    outcomes = {p <= alpha, p_if_right <= alpha}
    return None if math.isnan(p) or len(outcomes) > 1 else outcomes.pop()


def judged(held: bool | None, name: str, line: str, facts: dict[str, Any], subject: object) -> bool:
    """Record a judgement and return it; raise Unmeasurable for None."""
    __tracebackhide__ = True
    record(Judgement(name, "", held, line, facts, subject))
    if held is None:
        raise Unmeasurable(f"{line}\nis unmeasurable: missing answers decide; run again for them")
    return held


def superior(
    candidate: Predictions,
    other: Predictions,
    metric: Metric | None = None,
    *,
    alpha: float = ALPHA,
) -> Comparison:
    """Claim that the candidate is better: `assert compare.superior(clean, baseline)`."""
    return _compared(candidate, other, metric or right(), None, alpha)


def not_inferior(
    candidate: Predictions,
    other: Predictions,
    metric: Metric | None = None,
    *,
    margin: float,
    alpha: float = ALPHA,
) -> Comparison:
    """Claim that the candidate is not worse by `margin`, in units of the metric (0.03: 3 points).

    Raises ValueError for a margin that is not above 0: without one, nothing is ever shown.
    """
    if not margin > 0:
        raise ValueError(f"margin is {margin}; a number above 0 is needed, such as 0.03")
    return _compared(candidate, other, metric or right(), margin, alpha)


def _compared(
    candidate: Predictions, other: Predictions, metric: Metric, margin: float | None, alpha: float
) -> Comparison:
    new, old = paired(candidate, other)
    n, name = len(new), f"{metric.name} gained"
    listed = flips.find(new, old, metric)
    if not n:
        nothing = Score(math.nan, name=name)
        return Comparison(metric.name, nothing, math.nan, math.nan, math.nan, math.nan,
                          "no example in common", listed, margin, alpha, metric.binary)  # fmt: skip
    # Of errors the worst is assumed: the candidate's wrong, the other's right; and the best.
    worst, best = Pair(metric, new, spared(old)), Pair(metric, spared(new), old)
    low, high = worst.interval()
    difference = Score(
        worst.difference, name=name, n=n, low=low, high=high, if_right=best.difference,
        errors=sum(bool(a.error or b.error) for a, b in zip(new, old, strict=True)),
    )  # fmt: skip
    return Comparison(
        metric.name, difference, worst.before, worst.after, worst.p(margin), best.p(margin),
        worst.method(margin), listed, margin, alpha, metric.binary,
    )  # fmt: skip
