"""Speed and cost: latency, tokens, dollars; by themselves, and against the baseline's.

Measured when each question was first asked: what comes out of the cache carries the latency and the
cost of then. A baseline that is asked with examples in its prompt pays for them: its prompt's
tokens and its cost are counted as they were. An answer that could not be had counts as the dearest
that came in the value, and as the cheapest in `if_right`: where that decides, it is unmeasurable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from tunegate.predictions import Prediction, Predictions
from tunegate.score import Score

from . import bootstrap

What = Literal["latency", "tokens", "cost"]
Missing = Callable[[Iterable[float]], float]  # max or min: what an answer that is missing took
FEWEST = 20  # answers, for an interval of a mean: fewer are taken for the world


def latency(predictions: Predictions, quantile: float = 0.95) -> Score:
    """Return the seconds within which that share of the answers came (0.5: the median).

    The nearest rank: the smallest latency that so many answers did not exceed. The interval is
    between two ranks, whatever the distribution (Hahn & Meeker 1991, *Statistical Intervals*, 5.2);
    NaN where too few answers were asked, or where answers came in batches and are not independent.
    An answer that could not be had counts as one that never came.
    """
    name = f"latency p{quantile * 100:g} (s)"
    taken = sorted(p.latency for p in predictions if not p.error)
    if not any(taken):
        return _unknown(name, "no latency was recorded")
    n, missing = len(predictions), len(predictions) - len(taken)
    batched = _batched(taken)
    worst = [*taken, *[math.inf] * missing]
    low, high = (math.nan, math.nan) if batched else _ranks(worst, quantile)
    manner = "in batches: of the whole batch" if batched else "one by one"
    return Score(
        _rank(worst, quantile), name=name, n=n, low=low, high=high,
        errors=missing, if_right=_rank([*[0.0] * missing, *taken], quantile),
        signature=f"nearest rank; as first asked, {manner}",
    )  # fmt: skip


def _batched(latencies: Sequence[float]) -> bool:
    return len(set(latencies)) <= len(latencies) / 2


def _rank(ordered: Sequence[float], quantile: float) -> float:
    # Rounded first: 0.55 * 100 is 55.00000000000001.
    return ordered[max(math.ceil(round(quantile * len(ordered), 9)), 1) - 1]


def _ranks(ordered: Sequence[float], quantile: float) -> tuple[float, float]:
    """Return the latencies between which the quantile lies with 95 % confidence, or NaN."""
    from scipy.stats import binom

    n = len(ordered)
    low, high = int(binom.ppf(0.025, n, quantile)), int(binom.ppf(0.975, n, quantile)) + 1
    if low < 1 or high > n or math.isinf(ordered[high - 1]):
        return math.nan, math.nan
    return ordered[low - 1], ordered[high - 1]


def tokens(predictions: Predictions) -> Score:
    """Return the tokens of a request, question and answer together, on average."""
    return _mean("tokens a request", predictions, _tokens, "no tokens were counted")


def cost_per_1000(predictions: Predictions) -> Score:
    """Return what 1,000 requests cost, in USD, at the average of those asked."""
    return _mean("cost of 1,000 (USD)", predictions, _cost, "no cost was told", times=1000)


def ratio(predictions: Predictions, baseline: Predictions, what: What) -> Score:
    """Return the candidate's latency, tokens or cost as a multiple of the baseline's.

    Sums over the rows where both are known. The interval is a bootstrap over these pairs (1,000
    resamples, seed 0); NaN for the latency of answers that came in batches.
    """
    name = f"{what} / baseline's"
    values = _pairs(predictions, baseline, what, max, min)
    best = _pairs(predictions, baseline, what, min, max)
    if not values:
        return _unknown(name, f"{what} of one of the two models is not known")
    low, high = _interval(values, lambda sums: sums[:, 0] / sums[:, 1])
    if what == "latency" and any(map(_batched, zip(*values, strict=True))):
        low, high = math.nan, math.nan
    return Score(
        _over(values), name=name, n=len(values), low=low, high=high, if_right=_over(best),
        errors=len({p.row for side in (predictions, baseline) for p in side.errors}),
        signature=f"as first asked; bootstrap; {_left_out(predictions, len(values))}",
    )  # fmt: skip


def _pairs(
    predictions: Predictions, baseline: Predictions, what: What, ours: Missing, theirs: Missing
) -> list[list[float]]:
    now, then = (
        _known(predictions, _MEASURES[what], ours),
        _known(baseline, _MEASURES[what], theirs),
    )
    return [[now[row], then[row]] for row in now if row in then]


def _over(values: Sequence[Sequence[float]]) -> float:
    return sum(v[0] for v in values) / sum(v[1] for v in values)


def _mean(
    name: str,
    predictions: Predictions,
    measure: Callable[[Prediction], float],
    unknown: str,
    times: float = 1,
) -> Score:
    worst, best = (
        [times * value for value in _known(predictions, measure, missing).values()]
        for missing in (max, min)
    )
    if not worst:
        return _unknown(name, unknown)
    n = len(worst)
    low, high = _interval([[value] for value in worst], lambda sums: sums[:, 0] / n)
    return Score(
        sum(worst) / n, name=name, n=n, low=low, high=high,
        errors=len(predictions.errors), if_right=sum(best) / n,
        signature=f"mean; bootstrap; {_left_out(predictions, n)}",
    )  # fmt: skip


def _known(
    predictions: Predictions, measure: Callable[[Prediction], float], missing: Missing
) -> dict[int, float]:
    """Return the values by row, a missing answer's too; of 0, which nobody measured, none."""
    values = {p.row: measure(p) for p in predictions if not p.error}
    known = {row: value for row, value in values.items() if value > 0}
    if not known:
        return {}
    return known | dict.fromkeys((p.row for p in predictions.errors), missing(known.values()))


def _interval(
    values: Sequence[Sequence[float]], combine: Callable[[bootstrap.Array], bootstrap.Array]
) -> tuple[float, float]:
    if len(values) < FEWEST:
        return math.nan, math.nan
    import numpy as np

    low, high = np.quantile(combine(bootstrap.sums(np.array(values))), [0.025, 0.975])
    return float(low), float(high)


def _left_out(predictions: Predictions, n: int) -> str:
    missing = len(predictions) - n
    return f"{missing:,} rows not known" if missing else "all rows"


def _unknown(name: str, why: str) -> Score:
    return Score(math.nan, name=name, hints=(f"{why}: not measured",))


def _latency(p: Prediction) -> float:
    return p.latency


def _tokens(p: Prediction) -> float:
    return p.prompt_tokens + p.tokens if p.prompt_tokens else 0


def _cost(p: Prediction) -> float:
    return p.cost


_MEASURES = {"latency": _latency, "tokens": _tokens, "cost": _cost}
