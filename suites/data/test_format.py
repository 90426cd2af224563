"""Every row is valid chat data. A malformed row is refused by the service after the upload, or
dropped, or worse, trained on half.
"""

from tunegate import Dataset, Limits
from tunegate_checks.data import format


def test_format(dataset: Dataset, limits: Limits) -> None:
    assert not format.find(dataset, fewest=limits.fewest_examples, largest=limits.largest_mb)
