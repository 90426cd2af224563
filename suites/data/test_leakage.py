"""What the model is measured on, it must not have seen: a score on rows learnt by heart says
nothing about the rows to come.
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
    # Checkpoints are chosen on the validation set: it is seen too.
    assert not leakage.find(validation, test, similarity=limits.similarity)
