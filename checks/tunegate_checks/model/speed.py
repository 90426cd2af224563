"""Latency, tokens and cost of a model, by themselves and as multiples of the baseline's.

They are measured when a question is first asked: answers from the cache keep the latency and cost
of that time. The tokens and the cost of a baseline include the examples in its prompt. An error
counts as the highest measured value in the score, and as the lowest in `best_case`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from tunegate.results.prediction import Prediction, Predictions
from tunegate.results.score import Score

from ..stats import bootstrap

Quantity = Literal["latency", "tokens", "cost"]
FillMissing = Callable[[Iterable[float]], float]  # max or min: the value of a missing answer
MIN_ANSWERS = 20  # for the interval of a mean: with fewer a bootstrap is too short


def latency(predictions: Predictions, quantile: float = 0.95) -> Score:
    """Return a quantile of the latencies in seconds (0.5: the median), by the nearest rank.

    The interval is between two ranks, for any distribution (Hahn & Meeker 1991, *Statistical
    Intervals*, 5.2); NaN where there are too few answers, or where answers came in batches and are
    not independent. The latency of an error is infinite.
    """
    name = f"latency p{quantile * 100:g} (s)"
    latencies = sorted(p.latency for p in predictions if not p.error)
    if not any(latencies):
        return _not_measured(name, "no latency was recorded")
    n, missing = len(predictions), len(predictions) - len(latencies)
    is_batched = _is_batched(latencies)
    with_missing = [*latencies, *[math.inf] * missing]
    low, high = (math.nan, math.nan) if is_batched else _rank_interval(with_missing, quantile)
    batch_text = "in batches: of the whole batch" if is_batched else "one by one"
    return Score(
        _nearest_rank(with_missing, quantile), name=name, n=n, low=low, high=high,
        errors=missing, best_case=_nearest_rank([*[0.0] * missing, *latencies], quantile),
        signature=f"nearest rank; as first asked, {batch_text}",
    )  # fmt: skip


def _is_batched(latencies: Sequence[float]) -> bool:
    """Tell whether answers came in batches: the answers of a batch have the same latency."""
    return len(set(latencies)) <= len(latencies) / 2


def _nearest_rank(ordered: Sequence[float], quantile: float) -> float:
    # Rounded first: 0.55 * 100 is 55.00000000000001.
    return ordered[max(math.ceil(round(quantile * len(ordered), 9)), 1) - 1]


def _rank_interval(ordered: Sequence[float], quantile: float) -> tuple[float, float]:
    """Return the latencies between which the quantile lies with 95 % confidence, or NaN."""
    from scipy.stats import binom

    n = len(ordered)
    low, high = int(binom.ppf(0.025, n, quantile)), int(binom.ppf(0.975, n, quantile)) + 1
    if low < 1 or high > n or math.isinf(ordered[high - 1]):
        return math.nan, math.nan
    return ordered[low - 1], ordered[high - 1]


def tokens(predictions: Predictions) -> Score:
    """Return the tokens of a request, question and answer together, on average."""
    return _mean_score("tokens a request", predictions, _tokens, "no tokens were counted")


def cost_per_1000(predictions: Predictions) -> Score:
    """Return what 1,000 requests cost, in USD, at the average of those asked."""
    return _mean_score("cost of 1,000 (USD)", predictions, _cost, "no cost was told", times=1000)


def ratio(predictions: Predictions, over: Predictions, what: Quantity) -> Score:
    """Return the candidate's latency, tokens or cost as a multiple of that of `over`, the baseline.

    Sums over the rows where both are known. The interval is a bootstrap over these pairs (1,000
    resamples, seed 0); NaN for the latency of answers that came in batches.
    """
    name = f"{what} / baseline's"
    values = _value_pairs(predictions, over, what, max, min)
    best = _value_pairs(predictions, over, what, min, max)
    if not values:
        return _not_measured(name, f"{what} of one of the two models is not known")
    low, high = _bootstrap_interval(values, lambda sums: sums[:, 0] / sums[:, 1])
    if what == "latency" and any(map(_is_batched, zip(*values, strict=True))):
        low, high = math.nan, math.nan
    return Score(
        _ratio_of_sums(values), name=name, n=len(values), low=low, high=high,
        best_case=_ratio_of_sums(best),
        errors=len({p.row for side in (predictions, over) for p in side.errors}),
        signature=f"as first asked; bootstrap; {_left_out_text(predictions, len(values))}",
    )  # fmt: skip


def _value_pairs(
    predictions: Predictions,
    baseline: Predictions,
    quantity: Quantity,
    candidate_missing: FillMissing,
    baseline_missing: FillMissing,
) -> list[list[float]]:
    """Return the values of both models on the rows where both are known."""
    measure = _MEASURES[quantity]
    candidate_values = _values_by_row(predictions, measure, candidate_missing)
    baseline_values = _values_by_row(baseline, measure, baseline_missing)
    common = [row for row in candidate_values if row in baseline_values]
    return [[candidate_values[row], baseline_values[row]] for row in common]


def _ratio_of_sums(values: Sequence[Sequence[float]]) -> float:
    return sum(v[0] for v in values) / sum(v[1] for v in values)


def _mean_score(
    name: str,
    predictions: Predictions,
    measure: Callable[[Prediction], float],
    unknown: str,
    times: float = 1,
) -> Score:
    worst, best = (
        [times * value for value in _values_by_row(predictions, measure, missing).values()]
        for missing in (max, min)
    )
    if not worst:
        return _not_measured(name, unknown)
    n = len(worst)
    low, high = _bootstrap_interval([[value] for value in worst], lambda sums: sums[:, 0] / n)
    return Score(
        sum(worst) / n, name=name, n=n, low=low, high=high,
        errors=len(predictions.errors), best_case=sum(best) / n,
        signature=f"mean; bootstrap; {_left_out_text(predictions, n)}",
    )  # fmt: skip


def _values_by_row(
    predictions: Predictions, measure: Callable[[Prediction], float], missing: FillMissing
) -> dict[int, float]:
    """Return the values by row, those of missing answers too; 0 means not measured."""
    values = {p.row: measure(p) for p in predictions if not p.error}
    measured = {row: value for row, value in values.items() if value > 0}
    if not measured:
        return {}
    return measured | dict.fromkeys((p.row for p in predictions.errors), missing(measured.values()))


def _bootstrap_interval(
    values: Sequence[Sequence[float]], combine: Callable[[bootstrap.Array], bootstrap.Array]
) -> tuple[float, float]:
    if len(values) < MIN_ANSWERS:
        return math.nan, math.nan
    import numpy as np

    low, high = np.quantile(combine(bootstrap.resampled_sums(np.array(values))), [0.025, 0.975])
    return float(low), float(high)


def _left_out_text(predictions: Predictions, n: int) -> str:
    missing = len(predictions) - n
    return f"{missing:,} rows not known" if missing else "all rows"


def _not_measured(name: str, why: str) -> Score:
    return Score(math.nan, name=name, hints=(f"{why}: not measured",))


def _latency(p: Prediction) -> float:
    return p.latency


def _tokens(p: Prediction) -> float:
    return p.prompt_tokens + p.tokens if p.prompt_tokens else 0


def _cost(p: Prediction) -> float:
    return p.cost


_MEASURES = {"latency": _latency, "tokens": _tokens, "cost": _cost}
