"""The candidate must beat the model it was trained from: else the training was for nothing."""

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import improvement


def test_improvement(
    clean: Predictions, baseline: Predictions, label: LabelRule, task: str, limits: Limits
) -> None:
    """Accuracy gained over the baseline, example by example."""
    if task == "classification":
        gain = improvement.of(clean, over=baseline, label=label, enough=limits.accuracy)
        assert gain.by(limits.mode) > limits.improvement
