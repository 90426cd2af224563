"""For code: each answer parses. No code is run."""

import pytest

from tunegate import Limits, Predictions
from tunegate_checks.model import codecheck


@pytest.mark.task("code")
def test_parses(clean: Predictions, limits: Limits) -> None:
    # Another language: codecheck.passes(clean, ["node", "--check", "{file}"]) >= limits.parses
    assert codecheck.parses(clean, "python") >= limits.parses
