"""The candidate is better than the model that it was trained from."""

import pytest

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import improvement


@pytest.mark.task("classification")
def test_improvement(
    clean: Predictions, baseline: Predictions | None, label_rule: LabelRule, limits: Limits
) -> None:
    """Paired accuracy gain over the baseline."""
    if baseline is not None:
        gain = improvement.of(clean, over=baseline, label=label_rule, enough=limits.accuracy)
        assert gain > limits.improvement
