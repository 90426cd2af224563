"""Accuracy of the worst slice by language, length or another field; without a limit only shown."""

import pytest

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import slices


@pytest.mark.task("classification")
def test_worst_slice(clean: Predictions, label_rule: LabelRule, limits: Limits) -> None:
    assert slices.worst(clean, label=label_rule) >= limits.worst_slice
