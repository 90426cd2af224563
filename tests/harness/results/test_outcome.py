"""The ledger: judgements go to the test that runs, and nowhere else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from tunegate import Finding, Findings
from tunegate.results.outcome import Outcome, collect_outcomes, record, record_table
from tunegate.results.score import Score, proportion
from tunegate.results.session_results import (
    SessionResults,
    asked_in_words,
    judged_outcomes,
    outcome_dicts,
)

ONE = Outcome("pii", "train", True, "<pii: nothing found>")


def test_outside_a_test_nothing_is_kept() -> None:
    record(ONE)
    with collect_outcomes() as ledger:
        pass
    record(ONE)
    assert ledger == []


def test_what_was_judged_is_no_part_of_an_outcome_s_text() -> None:
    of_findings = replace(ONE, subject=Findings("pii", []))
    assert of_findings == ONE
    assert repr(of_findings) == repr(ONE)
    assert ONE.subject is None


def test_the_innermost_is_written_to() -> None:
    with collect_outcomes() as outer:
        with collect_outcomes() as inner:
            record(ONE)
        assert (outer, inner) == ([], [ONE])
        record(ONE)
    assert outer == [ONE]


def test_it_is_closed_when_the_test_breaks() -> None:
    try:
        with collect_outcomes() as ledger:
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        record(ONE)
    assert ledger == []


def test_what_a_thread_of_the_test_records_counts_for_the_test() -> None:
    with collect_outcomes() as ledger:
        thread = threading.Thread(target=record, args=(ONE,))
        thread.start()
        thread.join()
    assert ledger == [ONE]


def test_plain_survives_json() -> None:
    with collect_outcomes() as ledger:
        record(Findings("pii", []).outcome(False))
        assert proportion("accuracy", 1, 1) >= 0.5
    plain = [judgement.to_dict() for judgement in ledger]
    assert json.loads(json.dumps(plain)) == plain


def test_a_table_is_kept_whether_its_test_passed_or_failed() -> None:
    with collect_outcomes() as outcomes:
        record_table("models", [("model", "n"), ("a", "1")])
    dicts = outcome_dicts(outcomes, passed=True)
    for results in (SessionResults(passed={"t": dicts}), SessionResults(failed={"t": dicts})):
        (table,) = results.tables()
        assert (table["name"], table["table"]) == ("models", [["model", "n"], ["a", "1"]])
        assert judged_outcomes(results) == {"scores": [], "missed": []}


@pytest.mark.parametrize(
    ("of_rate", "compare", "held"),
    [
        (True, lambda rate: rate <= 0.1, True),
        (True, lambda rate: rate < 0.2, True),
        (True, lambda rate: rate > 0.1, True),  # as in `assert not rate > 0.1`
        (True, lambda rate: rate >= 0.2, True),
        (True, lambda rate: rate <= 0.05, False),
        (True, lambda rate: rate > 0.05, False),
        (True, lambda rate: rate <= None, False),
        (False, lambda score: score >= 0.9, True),
        (False, lambda score: score >= 0.95, False),
        (False, lambda score: score >= None, False),
    ],
)
def test_findings_are_held_by_the_comparisons_that_limit_them(
    of_rate: bool, compare: Callable[[Score], bool], held: bool
) -> None:
    found = Findings("pii", [Finding(1, 2, "email", "a***@b.com")], n=10)
    with collect_outcomes() as outcomes:
        record(found.outcome(False))
        compare(found.rate if of_rate else proportion("accuracy", 9, 10, misses=found))
    assert [d["held"] for d in outcome_dicts(outcomes, passed=True) if "found" in d] == [held]
    with collect_outcomes() as others:
        record(Findings("pii", found, n=10).outcome(False))
        compare(found.rate)
    assert not outcome_dicts(others, passed=True)[0]["held"]  # they stand for these alone


def test_what_was_asked_in_words() -> None:
    assert asked_in_words({"gate": "open"}) == ""
    limit = {"limit": {"rows": 1000, "of": 4000}}
    said = "1,000 of 4,000 test rows, drawn at random (--limit): never promotable"
    assert asked_in_words(limit) == said
    for at, words in (
        (0, "temperature 0, which only shows the server's noise"),
        (0.0, "temperature 0.0, which only shows the server's noise"),
        (0.7, "temperature 0.7"),
        ("default", "temperature default"),
        (None, "its own temperature"),
    ):
        repeat = {"repeat": {"times": 5, "temperature": at}}
        assert asked_in_words(repeat) == f"each row asked 5 times at {words}"
        assert asked_in_words(limit | repeat).startswith(f"{said}; each row")
