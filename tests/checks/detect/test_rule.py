"""Patterns in TOML files beside the modules that search with them."""

from pathlib import Path

import pytest

from tunegate_checks.detect.rule import fill_parts, read_patterns


def test_a_pattern_names_those_above_it_and_its_strings_are_joined(tmp_path: Path) -> None:
    table = tmp_path / "words.toml"
    table.write_text("digit = '[0-9]'\npair = ['{digit}{digit}', '|--']\nmany = '(?i)x{2,3}'\n")
    patterns = read_patterns(str(table.with_suffix(".py")))
    assert patterns["pair"].pattern == "[0-9][0-9]|--"
    assert patterns["many"].fullmatch("XXX")
    assert not patterns["many"].fullmatch("X")


def test_a_name_that_stands_below_is_unknown() -> None:
    with pytest.raises(KeyError, match="digit"):
        fill_parts({"pair": "{digit}{digit}", "digit": "[0-9]"})
