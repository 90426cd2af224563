"""The two replies of a row differ, and no two rows prefer the opposite (rows with `rejected`)."""

from tunegate import Dataset, Limits
from tunegate_checks.data import preferences


def test_preferences(dataset: Dataset, limits: Limits) -> None:
    assert not preferences.find(dataset, similarity=limits.similarity)
