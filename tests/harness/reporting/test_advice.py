"""What to do about a failed gate, in one line."""

import re
from pathlib import Path

import pytest

import tunegate_checks
from tunegate.config.schema import Limits
from tunegate.reporting.terminal import ADVICE, advice_for, failure_tables, without_addresses
from tunegate.results.finding import Finding, Findings
from tunegate.results.outcome import collect_outcomes


def test_every_limit_that_is_named_exists() -> None:
    named = {
        name
        for said in ADVICE.values()
        for part in re.findall(r"\[limits\] (\w+(?:, \w+)*)", said)
        for name in part.split(", ")
    }
    assert named
    assert named <= Limits.model_fields.keys()


def test_every_check_that_is_named_exists() -> None:
    files = Path(tunegate_checks.__file__).parent.rglob("*.py")
    names = {n for f in files for n in re.findall(r'@check\(name="([\w.]+)"', f.read_text())}
    assert {key.partition(":")[0] for key in ADVICE} <= names


def test_advice_is_one_short_line() -> None:
    assert max(len(advice_for(name)) for name in ADVICE) <= 79
    assert advice_for("pii").startswith("to do: `tunegate fix -o clean/` redacts")
    assert advice_for("my own check") == ""


def test_fix_is_not_advised_for_what_it_cannot_mend() -> None:
    assert "tunegate fix" in advice_for("format", ["content"])
    for kind in ("shape", "too few", "too large", "meaning"):
        assert "tunegate fix" not in advice_for("format", [kind])
    assert "tunegate fix" not in advice_for("consistency.output_format", ["missing key", "task"])
    both = advice_for("consistency.output_format", ["near miss", "missing key", "type"])
    assert both.count("respells") == both.count("as most are written") == 1


def test_the_line_stands_under_the_table() -> None:
    found = Findings("pii", [Finding(0, 1, "cpf", "x")], split="train", n=10)
    ((_, table),) = failure_tables([found.outcome(False)], 0)
    assert table.splitlines()[-1] == advice_for("pii")
    with collect_outcomes() as ledger:
        assert not found.rate <= 0.05
    ((_, table),) = failure_tables(ledger, 0)
    assert table.splitlines()[-1] == advice_for("pii")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("E + where x = <function find at 0x7f00aa>(d)", "E + where x = find(d)"),
        ("<function make.<locals>.check at 0x1>", "check"),
        ("<function>", "<function>"),
    ],
)
def test_a_function_is_named_and_not_its_place_in_memory(text: str, shown: str) -> None:
    assert without_addresses(text) == shown
