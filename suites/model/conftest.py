"""Fixtures of this suite."""

from collections.abc import Collection

import pytest

from tunegate import Dataset, Limits, Predictions
from tunegate_checks.data import leakage


@pytest.fixture(scope="session")
def near_rows(trained_on: Dataset, test: Dataset, limits: Limits) -> Collection[int]:
    """The test examples with a near-duplicate in the training data."""
    return leakage.find(trained_on, test, similarity=limits.similarity, advisory=True).rows


@pytest.fixture(scope="session")
def clean(predictions: Predictions, near_rows: Collection[int]) -> Predictions:
    """The predictions on test examples without a near-duplicate in the training data."""
    return predictions.without(near_rows)
