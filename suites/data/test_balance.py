"""Every class has enough examples. A model hardly learns a rare class, and the accuracy over all
classes does not show it.
"""

from tunegate import Dataset, Limits
from tunegate_checks.data import balance


def test_no_rare_class(dataset: Dataset, task: str, limits: Limits) -> None:
    assert task != "classification" or not balance.find(dataset, rarest=limits.rarest_class)


def test_makeup(dataset: Dataset) -> None:
    assert not balance.makeup(dataset)  # hints only: languages, reply lengths, refusals
