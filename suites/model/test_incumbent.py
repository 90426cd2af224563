"""The candidate is not worse than the model in production by more than `margin`."""

import pytest

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import improvement


@pytest.mark.task("classification")
def test_not_worse(
    clean: Predictions, incumbent: Predictions | None, label_rule: LabelRule, limits: Limits
) -> None:
    """Paired accuracy gain over the incumbent; passes before the first promotion."""
    if incumbent is not None:
        gain = improvement.of(clean, over=incumbent, label=label_rule, name="against incumbent")
        assert gain >= -limits.margin
