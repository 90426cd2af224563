"""The candidate is good enough, in every class, on rows that it was not trained on.

With `mode = "lower"` in [limits] the one-sided 95 % lower bound must hold, not the estimate.
"""

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import classification
from tunegate_checks.model import classification as averages


def test_accuracy(
    clean: Predictions, predictions: Predictions, label: LabelRule, task: str, limits: Limits
) -> None:
    """Share of right answers; the share on all test rows is shown beside it."""
    if task == "classification":
        accuracy = classification.accuracy(clean, label=label, every=predictions)
        assert accuracy.by(limits.mode) >= limits.accuracy


def test_macro_f1(clean: Predictions, label: LabelRule, task: str, limits: Limits) -> None:
    """Mean F1 of the classes, each with equal weight, so that a rare class that fails shows."""
    if task == "classification":
        assert averages.macro_f1(clean, label=label).by(limits.mode) >= limits.macro_f1
