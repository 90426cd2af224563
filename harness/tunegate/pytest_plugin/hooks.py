"""The hooks of a session in a project that uses tunegate; what they decide is decided elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..config import suites
from ..config.data_files import find_data_files
from ..config.project import read_table
from ..data.dataset import SPLITS
from ..errors import ConfigError
from ..gates.collection import CollectedSuite
from ..interfaces.model import Budget, ModelUnknown, budget_from_options
from ..reporting import terminal as render
from ..results.outcome import Outcome, collect_outcomes
from ..results.score import Score
from ..session.context import DEFAULT_ALIAS, SessionContext
from . import each_example, report_sections

if TYPE_CHECKING:
    from ..gates.data_gate import DataGate
    from ..gates.model_gate import ModelGate

OUTCOMES = pytest.StashKey[list[Outcome]]()


class GateSession:
    """The hooks of one pytest session; what they know is in `context`."""

    context: SessionContext  # from pytest_configure on
    pytest_config: pytest.Config

    def __init__(self, root: Path) -> None:
        self.root = root
        self.suites: list[Path] = []
        self.each_example = False
        self.gate: DataGate | ModelGate | None = None
        self.collected = CollectedSuite([])
        self.collected_ids: list[str] = []
        self.shown_tables: dict[str, str] = {}  # heading and table -> the test it stands under
        self.session_ran = False

    # Start: everything that a typo can spoil is looked at before the first test.

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Resolve configuration, suite, data, trainer and model; a mistake ends here, exit 4."""
        self.pytest_config = config
        config.addinivalue_line("markers", report_sections.SPLIT_MARKER)
        try:
            self._configure(config)
        except (ConfigError, ModelUnknown) as error:
            raise pytest.UsageError(str(error)) from None

    def _configure(self, config: pytest.Config) -> None:
        folder, option = config.invocation_params.dir, config.getoption
        session = SessionContext(self.root, config.rootpath, config.pluginmanager, self.print_line)
        self.context = session
        _, table = read_table(self.root)
        self.suites = suites.suite_folders(table.get("suites", {}), self.root)
        session.suite = suites.suite_of_args(config.args, folder, self.suites)
        given_files = {split: option(f"{split}_data") for split in SPLITS}
        if session.suite is not None or any(given_files.values()):
            session.splits = find_data_files(session.config, self.root, given_files, folder)
        for split, path in session.splits.paths.items():
            setattr(config.option, f"{split}_data", str(path))  # xdist's workers get it absolute
        if model := option("model"):
            from ..models.spec import resolve_candidate

            session.candidate = resolve_candidate(model, session.state)
        session.alias = option("promote") or DEFAULT_ALIAS
        self.each_example = each_example.is_requested(config, session.suite)
        self._accept(config)
        decides = not hasattr(config, "workerinput")  # xdist's workers test; the controller decides
        if decides:
            _check_options(config)
        session.budget = _budget(config)
        if decides:
            self.gate = self._make_gate(config)

    def _accept(self, config: pytest.Config) -> None:
        """Accept the project's accepted findings, where this is its data suite."""
        session = self.context
        if session.suite is None:
            return
        if session.suite != (self.root / session.config.suites.data).resolve():
            return
        from ..checking import accepted
        from .accepted_findings import AcceptedFindingsPlugin

        session.accepted = accepted.read_accepted(self.root)
        accepting = AcceptedFindingsPlugin(session.accepted, session.seen, session.state)
        config.pluginmanager.register(accepting, "tunegate-accepting")

    def _make_gate(self, config: pytest.Config) -> DataGate | ModelGate | None:
        trainer, model, alias = map(config.getoption, ("train_with", "model", "promote"))
        if (trainer or model) and sys.flags.optimize:
            raise ConfigError("gates are refused under python -O (PYTHONOPTIMIZE): asserts vanish")
        if trainer:
            from ..gates.data_gate import DataGate

            elsewhere, max_cost = map(config.getoption, ("elsewhere", "max_cost"))
            return DataGate(self.context, trainer, elsewhere=elsewhere, max_cost=max_cost)
        if model:
            from ..gates.model_gate import ModelGate
            from ..gates.reason import checked_reason

            return ModelGate(self.context, model, alias, checked_reason(config.getoption("why")))
        return None

    # Collection.

    @pytest.hookimpl(wrapper=True)
    def pytest_ignore_collect(self, collection_path: Path) -> Generator[None, object, object]:
        """Keep a bare `pytest` out of the suites: model calls cost money."""
        ignored = yield
        suite = self.context.suite
        if suite is None:
            return True if collection_path in self.suites else ignored
        if collection_path == suite / each_example.EACH_EXAMPLE_FILE and not self.each_example:
            return True
        if ignored and suite in collection_path.parents and collection_path.suffix == ".py":
            self.collected.removed.append(collection_path.relative_to(self.root).as_posix())
        return ignored

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test that asks for `dataset` once per split."""
        splits = self.context.splits
        report_sections.parametrize_dataset(metafunc, list(splits.paths))
        if "prediction" in metafunc.fixturenames:
            each_example.parametrize_predictions(metafunc, splits.get("test"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Note what was collected before any conftest takes something out."""
        self.collected_ids = [item.nodeid for item in items]
        return (yield)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that skips itself: what it holds is on nobody's list."""
        if report.skipped:
            self.collected.skipped.append(report.nodeid)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Answer `--inventory`."""
        if listing := self.pytest_config.getoption("inventory"):
            collected = self.collected
            collected.tests[:] = [item.nodeid for item in session.items]
            collected.removed.extend(n for n in self.collected_ids if n not in set(collected.tests))
            Path(listing).write_text(json.dumps(asdict(collected)), "utf-8")

    # Each test.

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Open a ledger for the test and its fixtures."""
        with collect_outcomes() as outcomes:
            item.stash[OUTCOMES] = outcomes
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put judgements into the report, and tables of what did not hold."""
        outcomes = item.stash.get(OUTCOMES, [])
        if call.when == "call":
            report_sections.add_report_properties(item, call, outcomes, self._digests(item))
        report = yield
        if call.excinfo is not None:
            # What is expected to fail is not printed: nothing can be said to stand there.
            shown_tables = self.shown_tables if report.failed else {}
            report_sections.add_failure_tables(
                report, outcomes, self.pytest_config.get_verbosity(), shown_tables
            )
        return report

    def _digests(self, item: pytest.Item) -> dict[str, str]:
        """Return the digests of the data that was read, and of the model that was asked."""
        session, read = self.context, self.context.splits.read_digests()
        asked = session.candidate and "predictions" in getattr(item, "fixturenames", ())
        return {**read, **session.models.judged} if asked else read

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        """Explain a score that missed its limit; None where the comparison held."""
        if isinstance(left, Score) and isinstance(right, int | float):
            return render.explain_failure(left, op, float(right))
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the report."""
        self.context.results.add(report)
        terminal = self._terminal()
        if terminal is not None and terminal.hasmarkup:
            report_sections.colourise_report(report)

    # The end.

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the scores that were judged, and the hints."""
        verbose = self.pytest_config.get_verbosity() > 0
        passed = self.context.results.passed if self.context.suite else {}
        for title, lines in render.session_summary(passed, verbose):
            terminalreporter.write_sep("=", title)
            for line in lines:
                terminalreporter.write_line(line)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Note what somebody's hook raises here: a `pytest.exit` would leave no other trace."""
        self.session_ran = True
        try:
            return (yield)
        except BaseException as error:
            self.context.results.not_passed["pytest_sessionfinish"] = (
                f"{type(error).__name__} raised"
            )
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self) -> Generator[None, object, object]:
        """Open or close the gate when all is over, so that every other plugin has had its say."""
        try:
            status = yield
        except BaseException:
            self._finish_gate(1)
            raise
        return self._finish_gate(int(status or 0))  # type: ignore[call-overload]

    def _finish_gate(self, status: int) -> int:
        if self.gate is None or not self.session_ran:  # --help, say
            return status
        if spent := str(self.context.budget):
            self.print_line("asked", spent)
        try:
            return self.gate.finish(status)
        except (OSError, KeyboardInterrupt) as error:
            self.print_line("gate", f"closed: {error or 'interrupted'}", good=False)
            return status or 1

    def print_line(self, label: str, text: str, good: bool | None = None) -> None:
        """Print one line of what tunegate decided."""
        terminal, text = self._terminal(), text.replace("\n", "\n" + " " * 10)
        if terminal is None:  # -p no:terminal
            print(f"{label:<10}{text}")
            return
        colour = {} if good is None else {"green": good, "red": not good}
        terminal.ensure_newline()
        if self.pytest_config.get_terminal_writer().width_of_current_line:  # xdist's progress
            terminal.write_line("")
        terminal.write(f"{label:<10}", bold=True)
        terminal.write_line(text, **colour)

    def _terminal(self) -> pytest.TerminalReporter | None:
        return self.pytest_config.pluginmanager.get_plugin("terminalreporter")


def _check_options(config: pytest.Config) -> None:
    """Raise ConfigError for options that do not go together."""
    trainer, model, alias = map(config.getoption, ("train_with", "model", "promote"))
    if trainer and model:
        raise ConfigError("--train-with and --model in one session: one suite at a time")
    if config.getoption("elsewhere") and not trainer:
        raise ConfigError("--elsewhere needs the trainer's settings: --train-with TRAINER")
    if alias and not model:
        raise ConfigError("--promote needs the candidate: --model latest, or run:ID")


def _budget(config: pytest.Config) -> Budget:
    """Return what the session may spend on answers; raises ConfigError."""
    given = config.getoption
    if given("train_with"):
        return Budget()  # the trainer holds what it estimates against --max-cost
    spread = bool(given("tx", None))  # xdist's; -n sets it too
    return budget_from_options(given("max_requests"), given("max_cost"), given("model"), spread)
