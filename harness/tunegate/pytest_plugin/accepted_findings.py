"""The hooks of a session of the data suite: accepted findings do not count, and are not hidden."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import pytest

from ..checking import last_findings
from ..checking.last_findings import LastFindings
from ..reporting import terminal
from ..results.acceptance import AcceptedEntry, accepting
from ..results.finding import Findings
from ..storage.state_dir import StateDir

FINDINGS = pytest.StashKey[list[Findings]]()
REPORT_ATTRIBUTE = (
    "tunegate_found"  # an attribute of a report: xdist carries it, JUnit leaves it out
)


class AcceptedFindingsPlugin:
    """What is accepted in this session, and what it found.

    Registered for the data suite alone: a model suite uses findings to set rows aside, and whoever
    accepted a row for training did not say that it may be tested on.
    """

    def __init__(
        self, entries: Mapping[str, AcceptedEntry], seen: LastFindings, state: StateDir
    ) -> None:
        """Accept `entries`; what is found is counted in `seen` and kept in `state`."""
        self.entries, self.last_findings, self.state = entries, seen, state
        self.failed, self.save_error = False, ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Accept what is accepted, while the test and its fixtures run."""
        with accepting(self.entries) as findings:
            item.stash[FINDINGS] = findings
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put into the report what the test found."""
        report = yield
        if call.when == "call":
            findings: list[Findings] = item.stash[FINDINGS]
            setattr(report, REPORT_ATTRIBUTE, last_findings.to_dicts(findings))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what a test found."""
        self.last_findings.add(getattr(report, REPORT_ATTRIBUTE, []))
        self.failed |= report.failed

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was accepted, and how to accept more."""
        verbosity = terminalreporter.config.get_verbosity()
        write = terminalreporter.write_line
        for line in self._accept_advice(verbosity):
            write(line)
        if lines := terminal.accepted_lines(self.last_findings.to_receipt(self.entries), verbosity):
            terminalreporter.write_sep("=", "accepted")
        for line in lines:
            write(line)

    def _accept_advice(self, verbosity: int) -> list[str]:
        if not self.failed or len(self.last_findings.findings) == len(
            self.last_findings.accepted()
        ):
            return []
        if self.save_error:
            return [self.save_error]
        ids = "an id above" if verbosity > 0 else "-v shows ids"
        return [f'known, and right as it is? {ids}: tunegate accept ID --why "..."']

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep what was found; xdist's workers leave that to the controller."""
        if not hasattr(session.config, "workerinput"):
            try:
                self.last_findings.save(self.state)
            except OSError as error:
                self.save_error = f"what was found is not kept for `tunegate accept`: {error}"
