"""The candidate must be good enough, in every class, on rows that it has never seen."""

from tunegate import Predictions
from tunegate.config import Limits
from tunegate_checks.model import classification


def test_accuracy(clean: Predictions, limits: Limits) -> None:
    """Share of right answers."""
    assert classification.accuracy(clean) >= limits.accuracy


def test_macro_f1(clean: Predictions, limits: Limits) -> None:
    """Every class counts the same: a rare class that always fails shows here."""
    assert classification.macro_f1(clean) >= limits.macro_f1
