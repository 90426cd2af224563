"""The same question in capitals, without accents, with a typo, politely: it is the same question,
and its label must not change. Without a limit the rate is shown, and holds nothing.
"""

from tunegate import Ask, Dataset, LabelRule, Limits, Predictions
from tunegate_checks.model import robustness


def test_labels_do_not_flip(
    predictions: Predictions, test: Dataset, ask: Ask, label: LabelRule, limits: Limits
) -> None:
    """With 200 questions at most, those that make a flip smaller included."""
    assert robustness.flips(predictions, test, ask, label=label, calls=200) <= limits.flips
