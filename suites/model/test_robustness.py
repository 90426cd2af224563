"""Capitals, missing accents, a typo or a polite phrase must not change the label of a question.
Without a limit the rate is only shown.
"""

from tunegate import Ask, Dataset, LabelRule, Limits, Predictions
from tunegate_checks.model import robustness


def test_labels_do_not_flip(
    predictions: Predictions, test: Dataset, ask_model: Ask, label_rule: LabelRule, limits: Limits
) -> None:
    """Asks at most 200 questions, including those that shorten a flipped example."""
    flips = robustness.flips(predictions, test, ask_model, label=label_rule, calls=200)
    assert flips <= limits.flips
