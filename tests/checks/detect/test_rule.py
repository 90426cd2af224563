"""Patterns in TOML files beside the modules that search with them."""

from pathlib import Path

import pytest

from tunegate_checks.detect.rule import fill_parts, read_patterns
from tunegate_checks.detect.validity import is_email_address, is_personal_ip


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


@pytest.mark.parametrize(
    "address",
    [
        "192.168.0.1",
        "192.168.0.254",
        "192.168.1.1",
        "192.168.1.254",
        "192.168.15.1",
        "10.0.0.1",
        "10.0.0.138",
        "8.8.8.8",
        "8.8.4.4",
        "1.1.1.1",
        "1.0.0.1",
        "9.9.9.9",
        "255.255.255.0",
        "0.0.0.0",
    ],
)
def test_gateways_resolvers_and_masks_are_nobodys(address: str) -> None:
    assert not is_personal_ip(address)
    assert is_personal_ip(f"200.{address.partition('.')[2]}")


@pytest.mark.parametrize(
    "suffix", ["png", "jpg", "JPEG", "gif", "svg", "webp", "css", "js", "json", "html"]
)
def test_a_file_is_no_address(suffix: str) -> None:
    assert not is_email_address(f"icon@2x.{suffix}")
    assert is_email_address(f"icon@2x.{suffix}x")
