"""The training stopped in time: a validation loss that rises while the training loss falls is rows
learnt by heart.
"""

from tunegate import Limits
from tunegate_checks.model import overfitting


def test_stopped_in_time(curves: list[dict[str, float]], limits: Limits) -> None:
    assert not overfitting.find(curves, most=limits.overfitting)
