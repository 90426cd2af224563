"""The change in accuracy over another model, on the test set or on general questions."""

from __future__ import annotations

import math

from tunegate.results.finding import Findings
from tunegate.results.labels import LabelRule, exact
from tunegate.results.prediction import Predictions
from tunegate.results.score import Score, format_value

from ..stats.proportions import Z90, difference_interval, mcnemar_p
from .classification import accuracy, right
from .metric import with_errors_right
from .paired import ModelPair, find_flips, pair_predictions

FORGETTING_NAME = "general accuracy kept"


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
    the flips. Errors count as wrong for the candidate and right for the other.
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
    hints: list[str] = []
    if enough is not None and float(other_accuracy) >= enough:
        share, limit = format_value(float(other_accuracy), True), format_value(enough, True)
        hints.append(
            f"the base model alone is right {share} of the time, and the limit is {limit}: "
            "no fine-tuning needed for that"
        )
    flips_text = f"{worst.gained:,} gained, {worst.lost:,} lost"
    low, high = worst.interval()
    return Score(
        worst.difference, name=name, n=n, low=low, high=high,
        lower=difference_interval(worst.gained, worst.lost, n, Z90)[0],
        best_case_lower=difference_interval(best.gained, best.lost, n, Z90)[0],
        errors=sum(bool(a.error or b.error) for a, b in zip(new, old, strict=True)),
        best_case=best.difference, misses=find_flips(new, old, metric),
        signature=f"before {other_accuracy.hits:,} of {n:,}; {flips_text}; "
        f"McNemar p = {mcnemar_p(worst.gained, worst.lost):.2g}",
        hints=hints,
    )  # fmt: skip


def change(predictions: Predictions, over: Predictions, *, label: LabelRule = exact) -> Score:
    """Return accuracy on the general set less the baseline's (`over`), between -1 and 1.

    `assert change(...).by("lower") >= -0.05` is a test of non-inferiority: it passes where the
    one-sided 95 % lower bound of the difference (Bonett & Price, paired) is above the margin, which
    takes 45 questions for 5 points even where no answer changed. Errors count as in `of`.
    NaN where the candidate cannot be asked, such as a file of answers.
    """
    if not len(predictions) or not len(over):
        return Score(
            math.nan, name=FORGETTING_NAME, hints=("nothing was asked: a file cannot answer it",)
        )
    difference = of(predictions, over=over, label=label, name=FORGETTING_NAME)
    all_flips = find_flips(predictions, over, right(label))
    lost = (finding for finding in all_flips if finding.kind == "lost")
    difference.misses = Findings("forgotten", lost, split="general", n=all_flips.n)
    difference.signature = f"{difference.signature}; set {predictions.test[:12]}"
    return difference
