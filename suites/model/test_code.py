"""For code: each answer parses. No code is run.

For another language or a stricter check: `codecheck.passes(clean, ["node", "--check", "{file}"])`.
"""

from tunegate import Limits, Predictions
from tunegate_checks.model import codecheck


def test_parses(clean: Predictions, task: str, limits: Limits) -> None:
    if task == "code":
        assert codecheck.parses(clean, "python").by(limits.mode) >= limits.parses
