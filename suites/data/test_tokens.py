"""Every row fits into the trainer's longest one: a cut answer teaches to stop in the middle."""

import pytest

from tunegate import Dataset, TokenizationSpec
from tunegate_checks.data import tokens


@pytest.mark.split("train", "validation")  # the test set is not trained on
def test_answers_fit(dataset: Dataset, tokenization: TokenizationSpec) -> None:
    # Hints: the tokens of the whole training, and its cost at [tokens] price_per_million.
    assert not tokens.find(dataset, tokenization)
