"""The candidate must not be worse than the model that it would replace, by more than `margin`.

With `mode = "lower"` in [limits] that must be shown, with 95 % certainty: non-inferiority.
"""

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import improvement


def test_not_worse(
    clean: Predictions, incumbent: Predictions | None, label: LabelRule, task: str, limits: Limits
) -> None:
    """Accuracy gained over the incumbent, example by example; before the first promotion, none."""
    if incumbent is not None and task == "classification":
        gain = improvement.of(clean, over=incumbent, label=label, name="against incumbent")
        assert gain.by(limits.mode) >= -limits.margin
