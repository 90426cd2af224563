"""What the reports of a session say of its tests, and of what their checks found."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from tunegate.results.session_results import REPORT_PROPERTY, TO_JUDGE, SessionResults
from tunegate.utils.files import sha256_ascii_json

SCORE = {"name": "accuracy", "value": 0.9}


def report(
    when: Any = "call",
    outcome: Literal["passed", "failed", "skipped"] = "passed",
    *notes: dict[str, Any],
    **facts: Any,
) -> pytest.TestReport:
    made = pytest.TestReport("t", ("t", 0, "t"), {}, outcome, None, when)
    made.user_properties = [("other", 1), *((REPORT_PROPERTY, note) for note in notes)]
    vars(made).update(facts)
    return made


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (report("call", "failed"), "failed"),
        (report("setup", "failed"), "error in setup"),
        (report("teardown", "failed"), "error in teardown"),
        (report("???", "failed"), "crashed"),
        (report("setup", "skipped"), "skipped"),
        (report("call", "skipped"), "skipped"),
        (report("call", "skipped", wasxfail="bug"), "xfailed"),
        (report("call", "passed", wasxfail="bug"), "xpassed"),
        (report("call", "failed", wasxfail="bug"), "xpassed"),
    ],
)
def test_what_does_not_pass_is_named(made: pytest.TestReport, said: str) -> None:
    results = SessionResults()
    results.add(made)
    assert results.not_passed == {"t": said}
    assert results.passed == {}
    assert [*results.failed] == (["t"] if made.when == "call" else [])
    results.add(report("teardown", "failed"))
    assert results.not_passed == {"t": said}  # the first failure is the cause


def test_only_a_passed_call_passes_a_test() -> None:
    results = SessionResults()
    for when in ("setup", "teardown"):
        results.add(report(when, "passed", {"judgements": [SCORE]}))
    results.add(report("call", "passed", {"judgements": [SCORE]}, context="subtest"))
    assert (results.passed, results.not_passed) == ({}, {})
    results.add(report("call", "passed", {"judgements": [SCORE], "when": "call"}))
    assert (results.passed, results.not_passed) == ({"t": [SCORE]}, {})
    assert (results.digests, results.idle, results.unmeasurable) == (set(), set(), set())


def test_what_a_fixture_finds_at_its_end_counts_and_no_note_counts_twice() -> None:
    results, found = SessionResults(), {"name": "pii", "found": 1}
    note, later = {"judgements": [SCORE], "when": "call"}, {"judgements": [found]}
    results.add(report("call", "passed", note))
    results.add(report("teardown", "passed", note, later))
    assert results.passed == {"t": [SCORE, found]}
    digests = {"call": sha256_ascii_json(note), "teardown": sha256_ascii_json(later)}
    assert results.received == {"t": digests}


@pytest.mark.parametrize("passed", [True, False])
def test_what_a_call_says_beside_its_outcomes(passed: bool) -> None:
    results = SessionResults()
    note = {"judgements": [SCORE], "digests": [["test", "ab"]], "idle": True, "unmeasurable": True}
    results.add(report("call", "passed" if passed else "failed", {}, note))
    assert (results.passed, results.failed)[not passed] == {"t": [SCORE]}
    assert results.digests == ({("test", "ab")} if passed else set())
    assert (results.idle, results.unmeasurable) == (({"t"}, set()) if passed else (set(), {"t"}))


def finding(held: bool, *, fixture: str = "", line: str = "<pii: 1 email>") -> dict[str, Any]:
    more = {"fixture": fixture} if fixture else {}
    return {"name": "pii", "split": "train", "found": 1, "held": held, "line": line, **more}


CLEAN = {**finding(False), "found": 0}


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        ({"a": [CLEAN, SCORE], "b": [finding(True)]}, ""),
        ({"a": [finding(False)]}, "a passed in spite of <pii: 1 email>"),
        ({"a": [finding(False)], "b": [finding(True)]}, "a passed in spite of <pii: 1 email>"),
        (
            {"a": [CLEAN], "b": [finding(False), finding(False)], "c": [finding(False)]},
            "b passed in spite of <pii: 1 email> (and 2 more like this)",
        ),
        ({"a": [finding(False, fixture="f")], "b": [finding(True, fixture="f")]}, ""),
        ({"a": [finding(True, fixture="f")], "b": [finding(False, fixture="f")]}, ""),
        (
            {"a": [finding(False, fixture="f")], "b": [finding(True, fixture="g")]},
            "a passed in spite of <pii: 1 email>",
        ),
        (
            {"a": [finding(True, fixture="f")], "b": [finding(False, fixture="f", line="<2>")]},
            "b passed in spite of <2>",
        ),
    ],
)
def test_findings_that_a_test_let_pass_are_named(
    passed: dict[str, list[dict[str, Any]]], said: str
) -> None:
    assert SessionResults(passed).ignored_findings() == (said and f"{said}; {TO_JUDGE}")


def test_a_passed_test_must_have_run_to_its_end_and_say_what_happened() -> None:
    whole = {"call": "x"}
    results = SessionResults(
        {name: [] for name in ("good", "raised", "unrun", "changed")},
        returned={"good", "raised", "changed"},
        raised={"raised": "ValueError", "other": "KeyError"},
        made={"good": whole, "raised": whole, "changed": whole},
        received={"good": whole, "raised": whole, "changed": {"call": "y"}},
    )
    assert [*results.false_reports()] == [
        "raised raised ValueError; a plugin ran it again, or reported it as passed",
        "unrun did not run; a plugin reported it as passed",
        "changed: a plugin changed what its report says",
    ]


def test_a_test_without_a_check_or_a_limit_judges_nothing() -> None:
    results = SessionResults({"a": [], "b": [SCORE], "c": []}, idle={"c"})
    assert results.unjudged() == ["a"]
