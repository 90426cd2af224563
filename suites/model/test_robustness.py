"""Capitals, missing accents, a typo or a polite phrase must not change the label of a question.
Without a limit the rate is only shown.
"""

from tunegate import Ask, Dataset, LabelRule, Limits, Predictions
from tunegate_checks.model import robustness


def test_labels_do_not_flip(
    predictions: Predictions, test: Dataset, ask: Ask, label: LabelRule, limits: Limits
) -> None:
    """Asks at most 200 questions, including those that shorten a flipped example."""
    assert robustness.flips(predictions, test, ask, label=label, calls=200) <= limits.flips
