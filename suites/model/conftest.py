"""Fixtures of this suite."""

import pytest

from tunegate import Dataset, Limits, Predictions
from tunegate_checks.data import leakage


@pytest.fixture(scope="session")
def clean(
    predictions: Predictions, trained_on: Dataset, test: Dataset, limits: Limits
) -> Predictions:
    """The predictions on test examples without a near-duplicate in the training data."""
    near = leakage.find(trained_on, test, similarity=limits.similarity, advisory=True)
    return predictions.without(near.rows)
