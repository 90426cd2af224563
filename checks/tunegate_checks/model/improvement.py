"""The change in accuracy over another model, on the test set or on general questions."""

import math

from tunegate import Findings, Predictions
from tunegate.results.labels import LabelRule, exact
from tunegate.results.score import Score, format_value

from ..stats import Z90, mcnemar_p
from .classification import accuracy, right
from .metric import find_flips, measure_difference, pair_predictions

FORGETTING_NAME = "general accuracy kept"


def of(
    predictions: Predictions, *, over: Predictions, label: LabelRule = exact,
    enough: float | None = None, name: str = "improvement",
) -> Score:  # fmt: skip
    """Return accuracy less that of another model on the same examples, between -1 and 1.

    The interval is that of `stats.not_inferior_p`, and the signature gives the two-sided exact
    McNemar p-value of the flips. Errors count as wrong for the candidate and right for the other.
    Where the other, a baseline, alone reaches `enough`, a hint says that no fine-tuning is needed.
    """
    new, old = pair_predictions(predictions, over)
    n, metric = len(new), right(label)
    if not n:
        return Score(math.nan, name=name)
    score, worst, best = measure_difference(metric, new, old, name)
    other_accuracy = accuracy(old, label=label)
    if enough is not None and float(other_accuracy) >= enough:
        share, limit = format_value(float(other_accuracy), True), format_value(enough, True)
        fact = f"the base model alone is right {share} of the time, and the limit is {limit}"
        score.hints = (f"{fact}: no fine-tuning needed for that",)
    score.lower, score.best_case_lower = (pair.interval(Z90)[0] for pair in (worst, best))
    score.misses = find_flips(metric, new, old)
    p_text = f"McNemar p = {mcnemar_p(worst.gained, worst.lost):.2g}"
    before_text = f"before {other_accuracy.hits:,} of {other_accuracy.n:,}"
    score.signature = f"{before_text}; {worst.gained:,} gained, {worst.lost:,} lost; {p_text}"
    return score


def change(predictions: Predictions, over: Predictions, *, label: LabelRule = exact) -> Score:
    """Return accuracy on the general set less the baseline's (`over`), between -1 and 1.

    `assert change(...).by("lower") >= -0.05` is a test of non-inferiority: it passes where the
    one-sided 95 % lower bound of the difference (paired) is above the margin, which takes 59
    questions for 5 points even where no answer changed. Errors count as in `of`.
    NaN where the candidate cannot be asked, such as a file of answers.
    """
    if not len(predictions) or not len(over):
        hint = "nothing was asked: a file cannot answer it"
        return Score(math.nan, name=FORGETTING_NAME, hints=(hint,))
    difference = of(predictions, over=over, label=label, name=FORGETTING_NAME)
    if difference.misses is not None:
        lost = (finding for finding in difference.misses if finding.kind == "lost")
        difference.misses = Findings("forgotten", lost, split="general", n=difference.misses.n)
    difference.signature = f"{difference.signature}; set {predictions.test[:12]}"
    return difference
