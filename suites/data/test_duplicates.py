"""No example occurs twice: a copy adds no information and doubles the weight of its content."""

from tunegate import Dataset, Limits
from tunegate_checks.data import duplicates


def test_no_copies(dataset: Dataset) -> None:
    assert not duplicates.find(dataset)


def test_few_near_copies(dataset: Dataset, limits: Limits) -> None:
    assert duplicates.near(dataset, similarity=limits.similarity).rate <= limits.near_duplicates
