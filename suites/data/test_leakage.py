"""No split may repeat examples of another one. A score on rows that the model was trained on says
nothing about new rows.
"""

from tunegate import Dataset, Limits
from tunegate_checks.data import leakage


def test_no_test_example_in_training(train: Dataset, test: Dataset, limits: Limits) -> None:
    assert not leakage.find(train, test, similarity=limits.similarity)


def test_no_validation_example_in_training(
    train: Dataset, validation: Dataset, limits: Limits
) -> None:
    assert not leakage.find(train, validation, similarity=limits.similarity)


def test_no_test_example_in_validation(validation: Dataset, test: Dataset, limits: Limits) -> None:
    # The best checkpoint is chosen by the validation set, so the model is fitted to it too.
    assert not leakage.find(validation, test, similarity=limits.similarity)


def test_no_general_example_in_training(
    train: Dataset, general_set: Dataset, limits: Limits
) -> None:
    # Empty unless the configuration names a file: data.general = "data/general.jsonl"
    assert not leakage.find(train, general_set, similarity=limits.similarity)
