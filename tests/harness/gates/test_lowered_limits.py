"""Limits that let more pass than when the data gate opened are named."""

from __future__ import annotations

from typing import Any

import pytest

from tunegate.config.schema import CompareLimits, Limits
from tunegate.gates.promotion import AT_LEAST, AT_MOST, lowered_limits, lowered_text

EITHER_WAY = {
    *("command", "compare", "fewest_per_class", "fields", "language", "mode", "own"),
    *("pii_ignore", "pii_allow", "pii_names"),
}

CASES: list[tuple[str, Any, Any, bool]] = [
    ("accuracy", 0.95, 0.6, True),
    ("accuracy", 0.6, 0.95, False),
    ("accuracy", 0.9, 0.9, False),
    ("margin", 0.03, 0.3, True),
    ("margin", 0.3, 0.03, False),
    ("similarity", 0.85, 0.99, True),
    ("tool_calls", 0.95, 0.5, True),
    ("command", [], ["true"], True),
    ("latency_p95", 2.0, None, True),
    ("latency_p95", None, 2.0, False),
    ("worst_slice", 0.9, None, True),
    ("mode", "lower", "point", True),
    ("mode", "point", "lower", False),
    ("pii_ignore", ["cpf"], ["cpf", "cnpj"], True),
    ("pii_ignore", ["cpf"], [], False),
    ("pii_ignore", ["cpf"], None, True),
    ("pii_ignore", None, ["cpf"], True),
    ("surrogates", False, True, True),
    ("surrogates", True, False, False),
    ("fewest_per_class", None, 1, True),
    ("a limit of a later version", 1, 1, False),
]


@pytest.mark.parametrize(("name", "before", "now", "lowered"), CASES)
def test_lowered(name: str, before: Any, now: Any, lowered: bool) -> None:
    assert lowered_limits({name: before}, {name: now}) == ({name: [before, now]} if lowered else {})


@pytest.mark.parametrize("value", [None, 0.5, ["a"], "lower", "point", True])
def test_what_stays_as_it_was_is_not_lowered(value: Any) -> None:
    for name in sorted((AT_LEAST | AT_MOST | EITHER_WAY) - {"fields"}):
        limits = {name: value, "compare": {"a": {name: value}}}
        limits |= {table: {name: value} for table in ("own", "fields") if value is not None}
        assert lowered_limits(limits, limits) == {}, name


def test_limits_of_ones_own() -> None:
    before, now = {"own": {"a": 1.0, "b": 2.0, "c": 3.0}}, {"own": {"a": 1.0, "b": 1.0, "d": 1.0}}
    lowered = lowered_limits(before, now)
    assert lowered_text(lowered) == "own.b 2.0 -> 1.0, own.c 3.0 -> none"


def test_limits_of_fields() -> None:
    """One that is as strict, or new, is not lowered."""
    before, now = {"a": 0.9, "b": 0.9, "c": 0.9}, {"a": 0.8, "b": 0.95, "d": 0.1}
    lowered = lowered_limits({"fields": before}, {"fields": now})
    assert lowered_text(lowered) == "fields.a 0.9 -> 0.8, fields.c 0.9 -> none"


def test_limits_beside_another_model() -> None:
    """One that was removed is lowered too; one that is new, or as strict, is not."""
    before = {"a": {"difference": -0.02, "cost_ratio": 1.0, "latency_ratio": None}}
    now = {"a": {"difference": -0.05, "cost_ratio": 0.5, "latency_ratio": 2.0}, "b": {}}
    lowered = lowered_limits({"compare": before}, {"compare": now})
    assert lowered_text(lowered) == "compare.a.difference -0.02 -> -0.05"
    removed = lowered_limits({"compare": before}, {"compare": {}})
    assert [*removed] == ["compare.a.cost_ratio", "compare.a.difference"]


def test_what_one_side_does_not_know_is_not_compared() -> None:
    assert lowered_limits({}, {"accuracy": 0.1, "own": {"x": 1.0}}) == {}


def test_each_limit_is_held_one_way() -> None:
    assert not AT_LEAST & AT_MOST
    fields = {*Limits.model_fields, *CompareLimits.model_fields}
    assert fields == AT_LEAST | AT_MOST | EITHER_WAY
