"""Every class has enough examples: the accuracy over all classes hides one that is not learnt."""

import pytest

from tunegate import Dataset, Limits
from tunegate_checks.data import balance


@pytest.mark.task("classification", "multilabel")
def test_no_rare_class(dataset: Dataset, limits: Limits) -> None:
    assert not balance.find(dataset, rarest=limits.rarest_class)


def test_makeup(dataset: Dataset) -> None:
    assert not balance.makeup(dataset)  # hints only: languages, reply lengths, refusals
