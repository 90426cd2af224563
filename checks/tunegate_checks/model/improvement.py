"""Improvement: what was gained over the baseline, or lost against the incumbent."""

from __future__ import annotations

import math

from tunegate.results.finding import Findings
from tunegate.results.labels import LabelRule, exact
from tunegate.results.prediction import Predictions
from tunegate.results.score import Score, format_value

from ..stats import proportions
from . import paired
from .classification import accuracy, right
from .metric import with_errors_right
from .paired import ModelPair, pair_predictions


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
        best_case=best.difference, misses=paired.find_flips(new, old, metric),
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


# [merged] Forgetting: a model tuned for one task must still do what is beside it.

FORGETTING_NAME = "general accuracy kept"


def change(candidate: Predictions, baseline: Predictions, *, label: LabelRule = exact) -> Score:
    """Return accuracy on the general set less the baseline's, between -1 and 1.

    `assert change(...).by("lower") >= -0.05` is a test of non-inferiority: it passes where the
    one-sided 95 % lower bound of the difference (Bonett & Price, paired) is above the margin, which
    takes 45 questions for 5 points even where no answer changed. Of errors the value assumes
    the worst. Where nothing could be asked it is NaN: no limit can be held to it.
    """
    if not len(candidate) or not len(baseline):
        return Score(
            math.nan, name=FORGETTING_NAME, hints=("nothing was asked: a file cannot answer it",)
        )
    difference = of(candidate, over=baseline, label=label, name=FORGETTING_NAME)
    difference.misses = _forgotten_findings(candidate, baseline, label)
    difference.signature = f"{difference.signature}; set {candidate.test[:12]}"
    return difference


def _forgotten_findings(
    candidate: Predictions, baseline: Predictions, label: LabelRule
) -> Findings:
    flip_findings = paired.find_flips(candidate, baseline, right(label))
    lost = (f for f in flip_findings if f.kind == "lost")
    return Findings("forgotten", lost, split="general", n=flip_findings.n)
