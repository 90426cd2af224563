"""Ages as the command line takes them, and as the summary prints them."""

from __future__ import annotations

import pytest

from tunegate.utils.timestamps import age_text, parse_age


@pytest.mark.parametrize(
    ("text", "seconds"), [("7d", 604800), ("12h", 43200), (" 1.5m", 90), ("30s", 30), ("0d", 0)]
)
def test_an_age(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "7w", "1d2h", "nan"])
def test_what_is_no_age(text: str) -> None:
    with pytest.raises(ValueError, match="is no age; valid: a number with d, h, m or s"):
        parse_age(text)


def test_an_age_in_its_largest_unit() -> None:
    ages = [age_text(seconds) for seconds in (0.2, 59, 61, 7200, 90000, 8.64e6)]
    assert ages == ["0 s", "59 s", "1 m", "2 h", "1 d", "100 d"]
