"""The question is put as in training: under another system prompt it is another task. (A chat
template that has changed since is an error where the model is opened.)
"""

from tunegate import Dataset
from tunegate_checks.data import consistency


def test_system_prompt_of_training(trained_on: Dataset, test: Dataset) -> None:
    assert not consistency.across(trained_on, test)


def test_one_system_prompt(test: Dataset) -> None:
    assert not consistency.system_prompt(test)
