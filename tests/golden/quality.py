"""The model suite of the project whose state is kept here; copied to where pytest finds it."""

from tunegate import proportion


def test_accuracy(predictions, limits):
    """Nearly all answers are right."""
    right = sum(p.right for p in predictions)
    assert proportion("accuracy", right, len(predictions)) >= limits.accuracy


def test_better(predictions, baseline):
    """More of them than of the base's."""
    assert sum(p.right for p in predictions) > sum(p.right for p in baseline)
