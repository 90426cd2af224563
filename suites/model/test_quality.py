"""The candidate must be good enough, in every class, on rows that it has never seen.

With `mode = "lower"` in [limits] not the estimate but its one-sided 95 % lower bound must hold.
"""

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import classification
from tunegate_checks.model import classification as averages


def test_accuracy(
    clean: Predictions, predictions: Predictions, label: LabelRule, task: str, limits: Limits
) -> None:
    """Share of right answers; on rows with a near-duplicate in training too, beside it."""
    if task == "classification":
        accuracy = classification.accuracy(clean, label=label, every=predictions)
        assert accuracy.by(limits.mode) >= limits.accuracy


def test_macro_f1(clean: Predictions, label: LabelRule, task: str, limits: Limits) -> None:
    """Every class counts the same: a rare class that always fails shows here."""
    if task == "classification":
        assert averages.macro_f1(clean, label=label).by(limits.mode) >= limits.macro_f1
