"""For code: each answer parses. No code is run, unless `command` under [limits] runs it."""

import pytest

from tunegate import Limits, Predictions
from tunegate_checks.model import codecheck


@pytest.mark.task("code")
def test_parses(clean: Predictions, limits: Limits) -> None:
    assert codecheck.parses(clean, limits.language, limits.command) >= limits.parses
