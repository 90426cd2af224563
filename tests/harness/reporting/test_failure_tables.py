"""What a report shows of a test's judgements: each value that did not hold, once."""

from __future__ import annotations

from tunegate import Finding, Findings
from tunegate.reporting.terminal import failure_tables
from tunegate.results.outcome import collect_outcomes
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
        assert not Findings("secrets", [])
    assert list(failure_tables(ledger, 0)) == []
