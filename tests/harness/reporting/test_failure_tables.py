"""What a report shows of a test's judgements: each value that did not hold, once."""

from __future__ import annotations

from dataclasses import replace

from tunegate import Finding, Findings
from tunegate.reporting.terminal import failure_tables
from tunegate.results.outcome import collect_outcomes, record
from tunegate.results.score import proportion

MISS = Finding(0, 1, "b for a", "a late parcel")


def test_a_value_that_failed_twice_is_shown_once() -> None:
    accuracy = proportion("accuracy", 9, 10, misses=Findings("accuracy", [MISS], split="test"))
    with collect_outcomes() as ledger:
        assert not accuracy >= 0.95
        assert not accuracy > 0.94
    assert [title for title, _ in failure_tables(ledger, 0)] == ["accuracy: 1 in test"]


def test_what_held_is_not_shown() -> None:
    found = Findings("pii", [MISS], split="train", n=10)
    with collect_outcomes() as ledger:
        assert found.rate <= 0.2
        record(Findings("secrets", []).outcome(False))
    assert list(failure_tables(ledger, 0)) == []


def test_what_a_check_found_is_shown_once_whatever_was_compared() -> None:
    found = Findings("pii", [MISS], split="train", n=10)
    with collect_outcomes() as ledger:
        record(found.outcome(False))
        assert found.rate <= 0.2
        assert not found.rate <= 0.05
        record(Findings("leakage", [MISS], split="test", n=10).outcome(True))
    assert [title for title, _ in failure_tables(ledger, 0)] == [
        "pii: 1 in train",
        "leakage: 1 in test",
    ]


def test_ids_are_shown_where_findings_can_be_accepted() -> None:
    outcomes = [Findings("pii", [replace(MISS, id="0123456789ab")]).outcome(False)]
    for accepts in (False, True):
        ((_, table),) = failure_tables(outcomes, 1, accepts=accepts)
        assert ("0123456789ab" in table) == accepts


def test_the_advice_by_which_a_fixture_leaves_rows_out_is_no_reason_of_a_failure() -> None:
    outcome = Findings("leakage", [MISS], split="test", n=10).outcome(True)
    assert list(failure_tables([replace(outcome, fixture="clean")], 0)) == []
