"""The training stopped in time, before the validation loss rose while the training loss fell."""

from tunegate import Limits
from tunegate_checks.model import overfitting


def test_stopped_in_time(loss_curves: list[dict[str, float]], limits: Limits) -> None:
    assert not overfitting.find(loss_curves, most=limits.overfitting)
