"""Each answer fits into the longest row that is trained on, and each row has something to learn:
what is cut is never learnt, and the model learns to stop in the middle.
"""

import pytest

from tunegate import Dataset, TokenizationSpec
from tunegate_checks.data import tokens


@pytest.mark.split("train", "validation")  # nothing is trained on the test set
def test_answers_fit(dataset: Dataset, recipe: TokenizationSpec) -> None:
    # Hints say how many tokens the training makes, and what it costs at [tokens] price_per_million.
    assert not tokens.find(dataset, recipe)
