"""The tally: what became of every test of a session, from the reports alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

REPORT_PROPERTY = "tunegate"


@dataclass
class SessionResults:
    """Fed with each report on the controller; a test counts as passed by its passed call alone."""

    passed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # node id: judgements
    failed: dict[str, list[dict[str, Any]]] = field(
        default_factory=dict
    )  # the same of a failed call
    not_passed: dict[str, str] = field(default_factory=dict)  # node id: what kept it from passing
    digests: set[tuple[str, str]] = field(default_factory=set)  # (split, digest) that tests judged
    unmeasurable: set[str] = field(default_factory=set)

    def add(self, report: pytest.TestReport) -> None:
        """Count one report. Under --setup-plan setups pass, so only calls count as passed."""
        notes: list[Any] = [
            value for key, value in report.user_properties if key == REPORT_PROPERTY
        ]
        outcomes = [j for note in notes for j in note.get("judgements", [])]
        if failure := _failure_kind(report):
            self.not_passed.setdefault(report.nodeid, failure)
            if report.when == "call":
                self.failed[report.nodeid] = outcomes
            if any(note.get("unmeasurable") for note in notes):
                self.unmeasurable.add(report.nodeid)
        # A subtest that passed is not its test that passed.
        elif report.when == "call" and not hasattr(report, "context"):
            self.passed[report.nodeid] = outcomes
            self.digests |= {tuple(d) for note in notes for d in note.get("digests", [])}

    def missing(self, node_ids: Iterable[str]) -> list[str]:
        """Return the tests of the inventory without a passed call."""
        return [nodeid for nodeid in node_ids if nodeid not in self.passed]


def _failure_kind(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        # A worker of xdist that crashed reports a `when` of its own making.
        kinds = {"call": "failed", "setup": "error in setup", "teardown": "error in teardown"}
        return kinds.get(str(report.when), "crashed")
    return "" if report.passed else str(report.outcome)
