"""The validation set has the right size, and all splits resemble training: else scores mislead."""

from tunegate import Dataset, Limits
from tunegate_checks.data import splits


def test_validation_share(train: Dataset, validation: Dataset, limits: Limits) -> None:
    low, high = limits.validation_low, limits.validation_high
    assert not splits.share(train, validation, low=low, high=high)


def test_validation_looks_like_train(train: Dataset, validation: Dataset, limits: Limits) -> None:
    assert not splits.drift(train, validation, psi_limit=limits.psi, auc_limit=limits.drift_auc)


def test_test_looks_like_train(train: Dataset, test: Dataset, limits: Limits) -> None:
    assert not splits.drift(train, test, psi_limit=limits.psi, auc_limit=limits.drift_auc)
