"""Enough examples to learn from, and a test set that can tell a good model from a bad one."""

from tunegate import Dataset, Limits
from tunegate_checks.data import size


def test_enough_to_learn_from(train: Dataset, task: str, limits: Limits) -> None:
    assert not size.find(train, task=task, per_class=limits.fewest_per_class)


def test_enough_to_judge_by(test: Dataset, limits: Limits) -> None:
    assert not size.enough_test_rows(test, smallest=limits.smallest_test)


def test_resolution(test: Dataset, limits: Limits) -> None:
    assert not size.resolution(test, limits.accuracy)  # hints only: what this test set can show
