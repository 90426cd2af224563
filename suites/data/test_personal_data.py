"""Nobody's data, and nobody's keys, in what a model will remember. What was trained on can be
drawn out again, and cannot be taken back: LGPD and GDPR ask for it before the training.
"""

from tunegate import Dataset, Limits
from tunegate_checks.data import pii, secrets


def test_no_personal_data(dataset: Dataset, limits: Limits) -> None:
    assert not pii.find(dataset, ignore=limits.pii_ignore, allow=limits.pii_allow)


def test_no_secrets(dataset: Dataset) -> None:
    assert not secrets.find(dataset)
