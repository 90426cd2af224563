"""The tally: what became of every test of a session, from the reports alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

PROPERTY = "tunegate"


@dataclass
class Tally:
    """Fed with each report on the controller; a test counts as passed by its passed call alone."""

    passed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # node id: judgements
    failed: dict[str, list[dict[str, Any]]] = field(
        default_factory=dict
    )  # the same of a failed call
    troubles: dict[str, str] = field(default_factory=dict)  # node id: what kept it from passing
    digests: set[tuple[str, str]] = field(default_factory=set)  # (split, digest) that tests judged
    unmeasurable: set[str] = field(default_factory=set)

    def add(self, report: pytest.TestReport) -> None:
        """Count one report. Under --setup-plan setups pass, so only calls count as passed."""
        notes: list[Any] = [value for key, value in report.user_properties if key == PROPERTY]
        judgements = [j for note in notes for j in note.get("judgements", [])]
        if trouble := _trouble(report):
            self.troubles.setdefault(report.nodeid, trouble)
            if report.when == "call":
                self.failed[report.nodeid] = judgements
            if any(note.get("unmeasurable") for note in notes):
                self.unmeasurable.add(report.nodeid)
        # A subtest that passed is not its test that passed.
        elif report.when == "call" and not hasattr(report, "context"):
            self.passed[report.nodeid] = judgements
            self.digests |= {tuple(d) for note in notes for d in note.get("digests", [])}

    def missing(self, inventory: Iterable[str]) -> list[str]:
        """Return the tests of the inventory without a passed call."""
        return [nodeid for nodeid in inventory if nodeid not in self.passed]


def _trouble(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        # A worker of xdist that crashed reports a `when` of its own making.
        kinds = {"call": "failed", "setup": "error in setup", "teardown": "error in teardown"}
        return kinds.get(str(report.when), "crashed")
    return "" if report.passed else str(report.outcome)
