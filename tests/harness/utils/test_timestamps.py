"""Ages as the command line takes them."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from tunegate.utils.timestamps import parse_age


@pytest.mark.parametrize(
    ("text", "seconds"), [("7d", 604800), ("12h", 43200), (" 1.5m", 90), ("30s", 30), ("0d", 0)]
)
def test_an_age(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "7w", "1d2h", "nan"])
def test_what_is_no_age(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no age; valid: a number with d, h, m or s"):
        parse_age(text)
