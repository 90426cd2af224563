"""The result of every test of a session, from pytest's reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

REPORT_PROPERTY = "tunegate"


@dataclass
class SessionResults:
    """What the reports of a session say of its tests, by node id.

    Attributes:
        passed: The outcomes recorded in each test whose call passed.
        failed: The outcomes recorded in each test whose call failed.
        not_passed: Why a test did not pass: "failed", "error in setup", "skipped", "xfailed", ...
        digests: (split, digest) of each dataset that passed tests read.
        unmeasurable: Tests that failed because a score could not be measured.
    """

    passed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    not_passed: dict[str, str] = field(default_factory=dict)
    digests: set[tuple[str, str]] = field(default_factory=set)
    unmeasurable: set[str] = field(default_factory=set)

    def add(self, report: pytest.TestReport) -> None:
        """Count one report. Only a passed call passes a test, since --setup-plan passes setups."""
        notes: list[Any] = [v for key, v in report.user_properties if key == REPORT_PROPERTY]
        outcomes = [outcome for note in notes for outcome in note.get("judgements", [])]
        if failure := _failure_kind(report):
            self.not_passed.setdefault(report.nodeid, failure)
            if report.when == "call":
                self.failed[report.nodeid] = outcomes
            if any(note.get("unmeasurable") for note in notes):
                self.unmeasurable.add(report.nodeid)
        # The report of a subtest has a context; that it passed says nothing of its test.
        elif report.when == "call" and not hasattr(report, "context"):
            self.passed[report.nodeid] = outcomes
            self.digests |= {tuple(d) for note in notes for d in note.get("digests", [])}

    def missing(self, node_ids: Iterable[str]) -> list[str]:
        """Return those of these tests that have no passed call."""
        return [nodeid for nodeid in node_ids if nodeid not in self.passed]


def _failure_kind(report: pytest.TestReport) -> str:
    """Return why a report keeps its test from passing, or "" where it does not."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        # For a worker that crashed, xdist makes a report with another `when`.
        kinds = {"call": "failed", "setup": "error in setup", "teardown": "error in teardown"}
        return kinds.get(str(report.when), "crashed")
    return "" if report.passed else str(report.outcome)
