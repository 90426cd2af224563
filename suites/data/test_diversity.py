"""Examples that repeat one another teach little; without a way out, they teach overconfidence."""

from tunegate import Dataset
from tunegate_checks.data import diversity


def test_diversity(train: Dataset, task: str) -> None:
    # Hints only; give `distinct=0.2` or `opening=0.1` to make them limits.
    assert not diversity.find(train, task=task)
