"""The candidate is not worse than the model in production by more than `margin`.

With `mode = "lower"` in [limits] the lower bound of the difference must hold (95 % certainty): a
non-inferiority test.
"""

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
