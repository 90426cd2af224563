"""Latency, tokens and cost of a model, by themselves and as multiples of the baseline's.

They are measured when a question is first asked: answers from the cache keep the latency and cost
of that time. The tokens and the cost of a baseline include the examples in its prompt. An error
counts as the highest measured value in the score, and as the lowest in `best_case`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from tunegate import Prediction, Predictions, Score

from .. import stats

Quantity = Literal["latency", "tokens", "cost"]
FillMissing = Callable[[Iterable[float]], float]  # max or min: the value of a missing answer
_MEASURES: Mapping[Quantity, Callable[[Prediction], float]] = {  # 0: not measured
    "latency": lambda p: p.latency,
    "tokens": lambda p: p.prompt_tokens + p.tokens if p.prompt_tokens else 0,
    "cost": lambda p: p.cost,
}
MIN_ANSWERS = 20  # for the interval of a mean: with fewer a bootstrap is too short


def latency(predictions: Predictions, quantile: float = 0.95) -> Score:
    """Return a quantile of the latencies in seconds (0.5: the median), by the nearest rank.

    The interval is between two ranks, for any distribution (Hahn & Meeker 1991, *Statistical
    Intervals*, 5.2); NaN where there are too few answers. The latency of an error is infinite. A
    model that answers in batches has none, as nobody waits for one answer: a hint has its seconds.
    """
    from scipy.stats import binom

    name = f"latency p{quantile * 100:g} (s)"
    if not any(latencies := sorted(p.latency for p in predictions if not p.error)):
        return Score(math.nan, name=name, hints=("no latency was recorded: not measured",))
    if _is_batched(latencies):
        size, seconds = len(latencies) / len({*latencies}), sum({*latencies}) / len(latencies)
        hint = f"answers came in batches of about {size:.0f}, {seconds:.2g} s an answer: no latency"
        return Score(math.nan, name=name, hints=(hint,), signature="in batches")
    n, missing = len(predictions), len(predictions) - len(latencies)
    worst, best = [*latencies, *[math.inf] * missing], [*[0.0] * missing, *latencies]
    rank = max(math.ceil(round(quantile * n, 9)), 1)  # rounded: 0.55 * 100 is 55.00000000000001
    low, high = math.nan, math.nan
    first, last = int(binom.ppf(0.025, n, quantile)), int(binom.ppf(0.975, n, quantile)) + 1
    if first >= 1 and last <= n and not math.isinf(worst[last - 1]):
        low, high = worst[first - 1], worst[last - 1]
    return Score(
        worst[rank - 1], name=name, n=n, low=low, high=high, errors=missing,
        best_case=best[rank - 1], signature="nearest rank; as first asked, one by one",
    )  # fmt: skip


def _is_batched(latencies: Sequence[float]) -> bool:
    """Tell whether answers came in batches: the answers of a batch have the same latency."""
    return len(set(latencies)) <= len(latencies) / 2


def tokens(predictions: Predictions) -> Score:
    """Return the tokens of a request, question and answer together, on average."""
    return _mean_score("tokens a request", predictions, "tokens", "no tokens were counted")


def cost_per_1000(predictions: Predictions) -> Score:
    """Return what 1,000 requests cost, in USD, at the average of those asked."""
    return _mean_score("cost of 1,000 (USD)", predictions, "cost", "no cost was reported", 1000)


def ratio(
    predictions: Predictions, over: Predictions, what: Quantity, *, name: str = "baseline"
) -> Score:
    """Return the candidate's latency, tokens or cost as a multiple of that of `over`.

    Sums over the rows where both are known. The interval is a bootstrap over these pairs (1,000
    resamples, seed 0); NaN for the latency of answers that came in batches. `name`: the other's.
    """
    name = f"{what} / {name}'s"
    worst = _by_row(predictions, what, max), _by_row(over, what, min)
    best = _by_row(predictions, what, min), _by_row(over, what, max)
    if not (common := [row for row in worst[0] if row in worst[1]]):
        unknown = f"{what} of one of the two models is not known: not measured"
        return Score(math.nan, name=name, hints=(unknown,))
    values = [[side[row] for side in worst] for row in common]
    low, high = _bootstrap_interval(values, lambda sums: sums[:, 0] / sums[:, 1])
    if what == "latency" and any(map(_is_batched, zip(*values, strict=True))):
        low, high = math.nan, math.nan
    sums = ([sum(side[row] for row in common) for side in sides] for sides in (worst, best))
    value, best_case = (mine / other for mine, other in sums)
    return Score(
        value, name=name, n=len(common), low=low, high=high, best_case=best_case,
        errors=len({p.row for side in (predictions, over) for p in side.errors}),
        signature=f"as first asked; bootstrap; {_left_out_text(predictions, len(common))}",
    )  # fmt: skip


def _mean_score(
    name: str, predictions: Predictions, quantity: Quantity, unknown: str, times: float = 1
) -> Score:
    measured = (_by_row(predictions, quantity, missing) for missing in (max, min))
    worst, best = ([times * value for value in values.values()] for values in measured)
    if not worst:
        return Score(math.nan, name=name, hints=(f"{unknown}: not measured",))
    n = len(worst)
    low, high = _bootstrap_interval([[value] for value in worst], lambda sums: sums[:, 0] / n)
    return Score(
        sum(worst) / n, name=name, n=n, low=low, high=high,
        errors=len(predictions.errors), best_case=sum(best) / n,
        signature=f"mean; bootstrap; {_left_out_text(predictions, n)}",
    )  # fmt: skip


def _by_row(predictions: Predictions, quantity: Quantity, missing: FillMissing) -> dict[int, float]:
    """Return the values by row, those of missing answers too."""
    values = {p.row: _MEASURES[quantity](p) for p in predictions if not p.error}
    if not (measured := {row: value for row, value in values.items() if value > 0}):
        return {}
    return measured | dict.fromkeys((p.row for p in predictions.errors), missing(measured.values()))


def _bootstrap_interval(
    values: Sequence[Sequence[float]], combine: Callable[[stats.Array], stats.Array]
) -> tuple[float, float]:
    if len(values) < MIN_ANSWERS:
        return math.nan, math.nan
    import numpy as np

    low, high = np.quantile(combine(stats.resampled_sums(np.array(values))), [0.025, 0.975])
    return float(low), float(high)


def _left_out_text(predictions: Predictions, n: int) -> str:
    missing = len(predictions) - n
    return f"{missing:,} rows not known" if missing else "all rows"
