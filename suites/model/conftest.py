"""What the gates of this suite share."""

import pytest

from tunegate import Dataset, Limits, Predictions
from tunegate_checks.data import leakage


@pytest.fixture(scope="session")
def clean(
    predictions: Predictions, trained_on: Dataset, test: Dataset, limits: Limits
) -> Predictions:
    """The predictions on test examples that no training example nearly repeats: these gate."""
    near = leakage.find(trained_on, test, similarity=limits.similarity)
    return predictions.without(near.rows)
