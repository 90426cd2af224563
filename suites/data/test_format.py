"""Every row is valid chat data: a service may refuse a malformed row, or train on a part of it."""

from tunegate import Dataset, Limits
from tunegate_checks.data import format


def test_format(dataset: Dataset, limits: Limits) -> None:
    assert not format.find(dataset, fewest=limits.fewest_examples, largest=limits.largest_mb)
