"""Examples differ enough, and some are of "none of these": else a model answers every input."""

from tunegate import Dataset, Limits
from tunegate_checks.data import diversity


def test_diversity(train: Dataset, task: str, limits: Limits) -> None:
    # Hints only, until [limits] sets `distinct` or `opening`.
    assert not diversity.find(train, task=task, distinct=limits.distinct, opening=limits.opening)
