"""The candidate is better than the model that it was trained from."""

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import improvement


def test_improvement(
    clean: Predictions, baseline: Predictions, label: LabelRule, task: str, limits: Limits
) -> None:
    """Paired accuracy gain over the baseline."""
    if task == "classification":
        gain = improvement.of(clean, over=baseline, label=label, enough=limits.accuracy)
        assert gain.by(limits.mode) > limits.improvement
