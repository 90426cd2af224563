"""Compare two models on the same examples: whether one is better, or at least not worse.

All tests are paired. Accuracy: McNemar's exact test, with a margin Gaffke's bound. All else: the
paired Bayesian bootstrap, 10,000 resamples, what was not seen added at its worst (see
`stats.resampled_sums`). All p-values are one-sided and compared with alpha = 0.05.
Claims which must all hold need no adjustment (Berger 1982); `models` adjusts its p-values by Holm.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunegate import Findings, Predictions
from tunegate.results.outcome import Outcome, record, record_table
from tunegate.results.score import Score, Unmeasurable, format_value

from . import speed
from .classification import right
from .metric import Metric, find_flips, measure_difference, pair_predictions

ALPHA = 0.05


@dataclass(frozen=True, repr=False)
class Comparison:
    """A claim about two models, and the evidence; true where p <= alpha.

    `bool(comparison)` is recorded in the test; raises Unmeasurable where missing answers decide.
    """

    metric: str
    difference: Score  # the candidate's score less the other's, with its 95 % interval
    other: float
    candidate: float
    p: float  # one-sided, with every missing answer counted against the candidate
    best_case_p: float  # with every one in its favour
    method: str
    flips: Findings  # the examples on which they differ
    margin: float | None = None  # of "not inferior", in units of the metric
    alpha: float = ALPHA
    binary: bool = field(default=False)

    @property
    def claim(self) -> str:
        """The claim in words: `accuracy better`, `chrF not worse by 1`."""
        if self.margin is None:
            return f"{self.metric} better"
        margin = format_value(self.margin, True) if self.binary else self.margin
        return f"{self.metric} not worse by {margin}"

    def holds(self) -> bool | None:
        """Tell whether the claim is shown, unrecorded; None where missing answers decide."""
        outcomes = {self.p <= self.alpha, self.best_case_p <= self.alpha}
        return None if math.isnan(self.p) or len(outcomes) > 1 else outcomes.pop()

    def __bool__(self) -> bool:
        __tracebackhide__ = True
        name, passed, summary = self.difference.name, self.holds(), repr(self)
        record(Outcome(name, "", passed, summary, self.to_data(), self.flips))
        if passed is None:
            reason = "missing answers decide; run again for them"
            raise Unmeasurable(f"{summary}\nis unmeasurable: {reason}")
        return passed

    def to_data(self) -> dict[str, Any]:
        """Return the comparison as JSON values, for the score table and the scorecard."""
        score = self.difference
        numbers = {"low": score.low, "high": score.high, "p": self.p, "value": float(score)}
        return {
            **{name: None if math.isnan(number) else number for name, number in numbers.items()},
            "n": score.n, "errors": score.errors, "hits": None, "alpha": self.alpha,
            "sign": ">", "limit": 0.0 if self.margin is None else -self.margin,
            "signature": self.method,
        }  # fmt: skip

    def __repr__(self) -> str:
        """Return one line, which is all that pytest shows of `assert superior(...)`."""
        before, after = (format_value(value, self.binary) for value in (self.other, self.candidate))
        change = f"{before} became {after} on {self.difference.n:,}"
        if kinds := self.flips.kinds:
            change += f", {kinds.get('gained', 0):,} gained, {kinds.get('lost', 0):,} lost"
        return f"<{self.claim}: {change}; p = {self.p:.2g}, {self.method}>"


def superior(
    predictions: Predictions, over: Predictions, metric: Metric | None = None, *,
    alpha: float = ALPHA,
) -> Comparison:  # fmt: skip
    """Claim that the model is better: `assert compare.superior(clean, over=baseline)`."""
    return _compare_models(predictions, over, metric or right(), None, alpha)


def not_inferior(
    predictions: Predictions, over: Predictions, metric: Metric | None = None, *, margin: float,
    alpha: float = ALPHA,
) -> Comparison:  # fmt: skip
    """Claim that the model is not worse by `margin`, in units of the metric (0.03: 3 points).

    Raises ValueError for a margin that is not above 0, with which nothing could be shown.
    """
    if not margin > 0:
        raise ValueError(f"margin is {margin}; a number above 0 is needed, such as 0.03")
    return _compare_models(predictions, over, metric or right(), margin, alpha)


def _compare_models(
    candidate: Predictions, other: Predictions, metric: Metric, margin: float | None, alpha: float
) -> Comparison:
    new, old = pair_predictions(candidate, other)
    name = f"{metric.name} gained"
    if not len(new):
        no_difference, no_flips = Score(math.nan, name=name), Findings("flips", (), split="test")
        return Comparison(
            metric.name, no_difference, math.nan, math.nan, math.nan, math.nan,
            "no example in common", no_flips, margin, alpha, metric.binary,
        )  # fmt: skip
    difference, worst, best = measure_difference(metric, new, old, name)
    return Comparison(
        metric.name, difference, worst.other, worst.candidate, worst.p(margin), best.p(margin),
        worst.method(margin), find_flips(metric, new, old), margin, alpha, metric.binary,
    )  # fmt: skip


def models(
    predictions: Predictions, over: Mapping[str, Predictions], *metrics: Metric
) -> dict[str, Comparison]:
    """Compare the candidate with other models, by name, and show two tables.

    The first has each model's scores, cost and latency, the second the paired differences with 95 %
    intervals and two-sided p-values, adjusted by Holm. Returns the comparisons by the first metric.
    """
    rows = [("model", *(metric.name for metric in metrics), "USD for 1,000", "p50 (s)", "n")]
    for name, answers in {"candidate": predictions, **over}.items():
        scores = [(metric(answers), metric.binary) for metric in metrics]
        scores += [(speed.cost_per_1000(answers), False), (speed.latency(answers, 0.5), False)]
        texts = ("-" if math.isnan(s) else format_value(s, is_share) for s, is_share in scores)
        rows.append((name, *texts, f"{len(answers):,}"))
    record_table("models compared", rows)
    pairs = [(name, metric) for name in over for metric in metrics]
    claims = [superior(predictions, over[name], metric) for name, metric in pairs]
    reverse = [superior(over[name], predictions, metric) for name, metric in pairs]
    both = zip(claims, reverse, strict=True)
    ps = adjusted_p_values([min(2 * min(a.p, b.p), 1.0) for a, b in both])
    rows = [("candidate, less", "difference", "95 % interval", "p (Holm)", "n")]
    for (name, _), claim, p in zip(pairs, claims, ps, strict=True):
        score, sign = claim.difference, "+.1%" if claim.binary else "+.4f"
        interval = f"{score.low:{sign}} to {score.high:{sign}}"
        told = "-" if math.isnan(score.low) else interval, "<0.001" if p < 0.001 else f"{p:.3f}"
        cells = f"{float(score):{sign}}", *told, f"{score.n:,}"
        rows.append((f"{claim.metric} of {name}", *cells))
        score.name, score.misses = f"{claim.metric} less {name}'s", claim.flips
    record_table("differences", rows)
    return {name: claim for (name, m), claim in zip(pairs, claims, strict=True) if m is metrics[0]}


def adjusted_p_values(ps: Sequence[float]) -> list[float]:
    """Return p-values by Holm (1979, Scand. J. Stat. 6:65-70), in order; NaN stays and counts."""
    result, highest = [math.nan] * len(ps), 0.0
    known = [(p, i) for i, p in enumerate(ps) if not math.isnan(p)]
    for rank, (p, i) in enumerate(sorted(known)):
        result[i] = highest = max(highest, min((len(ps) - rank) * p, 1.0))
    return result
