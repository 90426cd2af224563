"""Improvement: what was gained over the baseline, or lost against the incumbent."""

from __future__ import annotations

import math

from tunegate.extraction import Rule, exact
from tunegate.predictions import Predictions
from tunegate.score import Score, shown

from . import flips, proportions
from .classification import accuracy, right
from .paired import Pair, paired
from .spared import spared


def of(
    predictions: Predictions,
    *,
    over: Predictions,
    label: Rule = exact,
    enough: float | None = None,
    name: str = "improvement",
) -> Score:
    """Return accuracy less that of another model on the same examples, between -1 and 1.

    The interval is Bonett & Price's, and the signature gives the two-sided exact McNemar p-value of
    the flips. Of errors the value assumes the worst: the candidate's wrong, the other's right.
    Where the other, a baseline, alone reaches `enough`, a hint says that no fine-tuning is needed.
    """
    new, old = paired(predictions, over)
    n, metric = len(new), right(label)
    if not n:
        return Score(math.nan, name=name)
    worst, best = Pair(metric, new, spared(old)), Pair(metric, spared(new), old)
    was = accuracy(old, label=label)
    flipped = f"{worst.gained:,} gained, {worst.lost:,} lost"
    low, high = worst.interval()
    return Score(
        worst.difference, name=name, n=n, low=low, high=high,
        lower=proportions.interval(worst.gained, worst.lost, n, proportions.Z90)[0],
        lower_if_right=proportions.interval(best.gained, best.lost, n, proportions.Z90)[0],
        errors=sum(bool(a.error or b.error) for a, b in zip(new, old, strict=True)),
        if_right=best.difference, misses=flips.find(new, old, metric),
        signature=f"before {was.hits:,} of {n:,}; {flipped}; "
        f"McNemar p = {proportions.mcnemar(worst.gained, worst.lost):.2g}",
        hints=_needless(float(was), enough),
    )  # fmt: skip


def _needless(was: float, enough: float | None) -> list[str]:
    if enough is None or was < enough:
        return []
    reached = f"the base model alone is right {shown(was, True)} of the time"
    return [f"{reached}, and the limit is {shown(enough, True)}: no fine-tuning needed for that"]
