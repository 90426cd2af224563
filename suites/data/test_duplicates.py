"""No example twice: a copy teaches nothing new, and makes what it says weigh double."""

from tunegate import Dataset, Limits
from tunegate_checks.data import duplicates


def test_no_copies(dataset: Dataset) -> None:
    assert not duplicates.find(dataset)


def test_few_near_copies(dataset: Dataset, limits: Limits) -> None:
    near = duplicates.near(dataset, similarity=limits.similarity)
    assert near.rate <= limits.near_duplicates
