"""The test set has the system prompt of training: with another one it tests another task."""

from tunegate import Dataset
from tunegate_checks.data import consistency


def test_system_prompt_of_training(trained_on: Dataset, test: Dataset) -> None:
    assert not consistency.across(trained_on, test)


def test_one_system_prompt(test: Dataset) -> None:
    assert not consistency.system_prompt(test)
