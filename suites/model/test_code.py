"""For code: each answer parses. No code is run.

For another language or a stricter check: `codecheck.passes(clean, ["node", "--check", "{file}"])`.
"""

import pytest

from tunegate import Limits, Predictions
from tunegate_checks.model import codecheck


@pytest.mark.task("code")
def test_parses(clean: Predictions, limits: Limits) -> None:
    assert codecheck.parses(clean, "python") >= limits.parses
