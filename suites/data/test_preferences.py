"""The two replies of each row differ, and no two rows prefer the opposite. Where no row has a
rejected reply, nothing is checked.
"""

from tunegate import Dataset, Limits
from tunegate_checks.data import preferences


def test_preferences(dataset: Dataset, limits: Limits) -> None:
    assert not preferences.find(dataset, similarity=limits.similarity)
