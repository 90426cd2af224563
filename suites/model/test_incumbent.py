"""The candidate is not worse than the model in production by more than `margin`.

With `mode = "lower"` in [limits] the lower bound of the difference must hold (95 % certainty): a
non-inferiority test.
"""

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import improvement


def test_not_worse(
    clean: Predictions, incumbent: Predictions | None, label: LabelRule, task: str, limits: Limits
) -> None:
    """Paired accuracy gain over the incumbent; passes before the first promotion."""
    if incumbent is not None and task == "classification":
        gain = improvement.of(clean, over=incumbent, label=label, name="against incumbent")
        assert gain.by(limits.mode) >= -limits.margin
