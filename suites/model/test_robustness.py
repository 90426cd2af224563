"""Capitals, missing accents, a typo or a greeting change no label; without a limit only shown."""

from tunegate import Ask, Dataset, LabelRule, Limits, Predictions
from tunegate_checks.model import robustness


def test_labels_do_not_flip(
    predictions: Predictions, test: Dataset, ask_model: Ask, label_rule: LabelRule, limits: Limits
) -> None:
    """Asks at most 200 questions, including those that shorten a flipped example."""
    flips = robustness.flips(predictions, test, ask_model, label=label_rule, calls=200)
    assert flips <= limits.flips
