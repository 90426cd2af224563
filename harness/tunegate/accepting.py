"""The hooks of a session of the data suite: accepted findings do not count, and are not hidden."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import pytest

from . import render, seen
from .acceptance import Entry, in_force
from .findings import Findings
from .seen import Seen
from .state import State

MADE = pytest.StashKey[list[Findings]]()
REPORTED = "tunegate_found"  # an attribute of a report: xdist carries it, JUnit leaves it out


class Accepting:
    """What is accepted in this session, and what it found.

    Registered for the data suite alone: a model suite uses findings to set rows aside, and whoever
    accepted a row for training did not say that it may be tested on.
    """

    def __init__(self, entries: Mapping[str, Entry], seen: Seen, state: State) -> None:
        """Accept `entries`; what is found is counted in `seen` and kept in `state`."""
        self.entries, self.seen, self.state = entries, seen, state
        self.failed, self.trouble = False, ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Accept what is accepted, while the test and its fixtures run."""
        with in_force(self.entries) as made:
            item.stash[MADE] = made
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put into the report what the test found."""
        report = yield
        if call.when == "call":
            made: list[Findings] = item.stash[MADE]
            setattr(report, REPORTED, seen.plain(made))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what a test found."""
        self.seen.add(getattr(report, REPORTED, []))
        self.failed |= report.failed

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was accepted, and how to accept more."""
        verbosity = terminalreporter.config.get_verbosity()
        write = terminalreporter.write_line
        for line in self._offer(verbosity):
            write(line)
        if told := render.accepted(self.seen.receipt(self.entries), verbosity):
            terminalreporter.write_sep("=", "accepted")
        for line in told:
            write(line)

    def _offer(self, verbosity: int) -> list[str]:
        if not self.failed or len(self.seen.found) == len(self.seen.accepted()):
            return []
        if self.trouble:
            return [self.trouble]
        ids = "an id above" if verbosity > 0 else "-v shows ids"
        return [f'known, and right as it is? {ids}: tunegate accept ID --why "..."']

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep what was found; xdist's workers leave that to the controller."""
        if not hasattr(session.config, "workerinput"):
            try:
                self.seen.keep(self.state)
            except OSError as error:
                self.trouble = f"what was found is not kept for `tunegate accept`: {error}"
