"""Fixtures of this suite."""

import pytest

from tunegate import Ask, Dataset, LabelRule, Limits
from tunegate.config.schema import Readiness
from tunegate_checks.readiness import Advice


@pytest.fixture(scope="session")
def advice(
    readiness: Readiness,
    limits: Limits,
    task: str,
    train: Dataset,
    validation: Dataset,
    ask_model: Ask,
    label_rule: LabelRule,
) -> Advice:
    """The reasons for and against fine-tuning; models are asked when a test first needs one."""
    return Advice(readiness, limits, task, train, validation, ask_model, label_rule)
