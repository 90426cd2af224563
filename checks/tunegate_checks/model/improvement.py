"""Improvement: what was gained over the baseline, or lost against the incumbent."""

from __future__ import annotations

import math

from tunegate.extraction import LabelRule, exact
from tunegate.predictions import Predictions
from tunegate.score import Score, format_value

from . import flips, proportions
from .classification import accuracy, right
from .paired import ModelPair, pair_predictions
from .spared import with_errors_right


def of(
    predictions: Predictions,
    *,
    over: Predictions,
    label: LabelRule = exact,
    enough: float | None = None,
    name: str = "improvement",
) -> Score:
    """Return accuracy less that of another model on the same examples, between -1 and 1.

    The interval is Bonett & Price's, and the signature gives the two-sided exact McNemar p-value of
    the flips. Of errors the value assumes the worst: the candidate's wrong, the other's right.
    Where the other, a baseline, alone reaches `enough`, a hint says that no fine-tuning is needed.
    """
    new, old = pair_predictions(predictions, over)
    n, metric = len(new), right(label)
    if not n:
        return Score(math.nan, name=name)
    worst, best = (
        ModelPair(metric, new, with_errors_right(old)),
        ModelPair(metric, with_errors_right(new), old),
    )
    other_accuracy = accuracy(old, label=label)
    flips_text = f"{worst.gained:,} gained, {worst.lost:,} lost"
    low, high = worst.interval()
    return Score(
        worst.difference, name=name, n=n, low=low, high=high,
        lower=proportions.difference_interval(worst.gained, worst.lost, n, proportions.Z90)[0],
        best_case_lower=proportions.difference_interval(best.gained, best.lost, n, proportions.Z90)[0],
        errors=sum(bool(a.error or b.error) for a, b in zip(new, old, strict=True)),
        best_case=best.difference, misses=flips.find_flips(new, old, metric),
        signature=f"before {other_accuracy.hits:,} of {n:,}; {flips_text}; "
        f"McNemar p = {proportions.mcnemar_p(worst.gained, worst.lost):.2g}",
        hints=_not_needed_hint(float(other_accuracy), enough),
    )  # fmt: skip


def _not_needed_hint(base_accuracy: float, enough: float | None) -> list[str]:
    if enough is None or base_accuracy < enough:
        return []
    reached_text = f"the base model alone is right {format_value(base_accuracy, True)} of the time"
    return [
        f"{reached_text}, and the limit is {format_value(enough, True)}: no fine-tuning needed for that"
    ]
