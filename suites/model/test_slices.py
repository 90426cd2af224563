"""Accuracy of the worst slice, by language, length and every other field of the rows.

Without a limit it is only shown, since only you know which slices matter: set `worst_slice` in
[limits].
"""

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import slices


def test_worst_slice(clean: Predictions, label: LabelRule, task: str, limits: Limits) -> None:
    if task == "classification":
        assert slices.worst(clean, label=label) >= limits.worst_slice
