"""The candidate must beat the model it was trained from: else the training was for nothing."""

from tunegate import Predictions
from tunegate.config import Limits
from tunegate_checks.model import classification


def test_improvement(clean: Predictions, baseline: Predictions, limits: Limits) -> None:
    """Accuracy gained over the baseline, example by example."""
    assert classification.improvement(clean, baseline) > limits.improvement
