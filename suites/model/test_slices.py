"""Accuracy of the worst slice, by language, length and every other field of the rows.

Without a limit it is only shown, since only you know which slices matter: set `worst_slice` in
[limits].
"""

import pytest

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import slices


@pytest.mark.task("classification")
def test_worst_slice(clean: Predictions, label_rule: LabelRule, limits: Limits) -> None:
    assert slices.worst(clean, label=label_rule) >= limits.worst_slice
