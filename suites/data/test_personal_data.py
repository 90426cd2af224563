"""No personal data and no API keys: a model can reproduce its training text, and text cannot be
removed from a trained model, so LGPD and GDPR require removing it before training.
"""

from tunegate import Dataset, Limits
from tunegate_checks.data import pii, secrets


def test_no_personal_data(dataset: Dataset, limits: Limits) -> None:
    ignore, allow, names = limits.pii_ignore, limits.pii_allow, limits.pii_names
    believed = limits.surrogates  # the values that rows list as invented
    assert not pii.find(dataset, ignore=ignore, allow=allow, names=names, surrogates=believed)


def test_no_secrets(dataset: Dataset, limits: Limits) -> None:
    assert not secrets.find(dataset, allow=limits.pii_allow)
