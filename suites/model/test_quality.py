"""The candidate is good enough, in every class, on rows that it was not trained on.

With `mode = "lower"` in [limits] the one-sided 95 % lower bound must hold, not the estimate.
"""

import pytest

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import classification, stopping

pytestmark = pytest.mark.task("classification", "multilabel")


@pytest.mark.decided_by(rule=stopping.Accuracy)
def test_accuracy(
    clean: Predictions, predictions: Predictions, label_rule: LabelRule, limits: Limits
) -> None:
    """Share of right answers; the share on all test rows is shown beside it."""
    accuracy = classification.accuracy(clean, label=label_rule, every=predictions)
    assert accuracy >= limits.accuracy


def test_macro_f1(clean: Predictions, label_rule: LabelRule, limits: Limits) -> None:
    """Mean F1 of the classes, each with equal weight, so that a rare class that fails shows."""
    assert classification.macro_f1(clean, label=label_rule) >= limits.macro_f1
