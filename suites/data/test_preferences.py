"""Each pair of replies says which of the two is better, and no two pairs say the opposite. Where no
row has a rejected reply there is nothing to hold.
"""

from tunegate import Dataset, Limits
from tunegate_checks.data import preferences


def test_preferences(dataset: Dataset, limits: Limits) -> None:
    assert not preferences.find(dataset, similarity=limits.similarity)
