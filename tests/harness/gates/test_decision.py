"""What closes a gate, from the results of a session alone, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from tunegate.gates import decision
from tunegate.gates.decision import CollectedSuite
from tunegate.gates.promotion import note_on_test_set
from tunegate.results.session_results import SessionResults


@pytest.mark.parametrize(
    ("not_passed", "said"),
    [
        ({}, ""),
        ({"a": "failed"}, "1 failed: a"),
        ({"a": "failed", "b": "skipped", "c": "failed"}, "2 failed, 1 skipped: a ..."),
    ],
)
def test_tests_that_did_not_pass_are_counted(not_passed: dict[str, str], said: str) -> None:
    assert decision.failed_tests(SessionResults(not_passed=not_passed)) == said


def first_reason(
    results: SessionResults, collected: CollectedSuite, digests: Mapping[str, str]
) -> str:
    """Return the reason that closes the gate of a session whose files did not change."""
    session = SimpleNamespace(results=results, environment=SimpleNamespace(changed_files=list))
    results.returned.update(results.passed)
    gate: Any = SimpleNamespace(session=session, suite_files={}, fingerprint=dict)
    return next(filter(None, decision.Gate._reasons(gate, collected, 0, digests, [*digests])), "")


@pytest.mark.parametrize(
    ("collected", "said"),
    [
        (CollectedSuite(["a", "b"]), ""),
        (CollectedSuite([]), "the suite holds no test"),
        (CollectedSuite(["a", "c"]), "1 of 2 tests passed; c did not run"),
        (CollectedSuite(["c", "a", "d", "e"]), "1 of 4 tests passed; c and 2 more did not run"),
        (CollectedSuite([], skipped=["s.py"]), "s.py skipped itself while it was imported"),
        (CollectedSuite(["a"], removed=["c"]), ""),
        (CollectedSuite(["a"], untested=["x.py: why"]), "x.py: why"),
        (CollectedSuite(["a"], untested=["x", "y", "z"]), "x (and 2 more like this)"),
    ],
)
def test_each_test_of_the_suite_must_have_passed(collected: CollectedSuite, said: str) -> None:
    assert first_reason(SessionResults({"a": [], "b": []}), collected, {}) == said


def test_a_passed_test_must_have_happened_as_it_was_reported() -> None:
    results = SessionResults({"a": []}, raised={"a": "ValueError"})
    said = "a raised ValueError; a plugin ran it again, or reported it as passed"
    assert first_reason(results, CollectedSuite(["a", "b"]), {}) == said


@pytest.mark.parametrize(
    ("used", "said"),
    [
        ({("train", "1"), ("test", "2"), ("predictions", "m")}, ""),
        ({("train", "1"), ("test", "2"), ("predictions", "m"), ("validation", "9")}, ""),
        ({("train", "1"), ("predictions", "m")}, "no test of the suite looked at the test data"),
        ({("train", "1"), ("test", "2")}, "no test of the suite looked at the predictions"),
        (
            {("train", "0"), ("test", "2"), ("predictions", "m")},
            "the train data changed while it was being checked; run again",
        ),
        (
            {("train", "1"), ("train", "0"), ("test", "2"), ("predictions", "m")},
            "the train data changed while it was being checked; run again",
        ),
    ],
)
def test_each_required_split_was_used_as_it_is_now(used: set[tuple[str, str]], said: str) -> None:
    digests = {"train": "1", "test": "2", "predictions": "m"}
    results = SessionResults({"a": []}, digests=used)
    assert first_reason(results, CollectedSuite(["a"]), digests) == said


def test_names_are_abbreviated() -> None:
    assert [decision.abbreviate("abc"[:n]) for n in (1, 2, 3)] == [
        "a",
        "a and 1 more",
        "a and 2 more",
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "on 6 test rows that the data gate of the run saw; models they have judged: 2"),
        ({"test_receipt": "r", "test_left_out": 0},
         "on 6 test rows that a data gate of their own saw; models they have judged: 2"),
        ({"test_receipt": "r", "test_left_out": 3},
         "on 6 test rows that a data gate of their own saw, without 3 of the first test set; "
         "models they have judged: 2"),
    ],
)  # fmt: skip
def test_what_a_promotion_rests_on(facts: dict[str, object], said: str) -> None:
    assert note_on_test_set({"test_n": 6, "test_judged": 2, **facts}) == said
