"""The hooks of a pytest session in a project that uses tunegate.

The rules behind them lie in other packages: what a suite is in `config`, when a gate opens in
`gates`, how results are printed in `reporting`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..checking import last_findings
from ..config import suites
from ..config.data_files import find_data_files
from ..config.project import read_table
from ..config.suite_files import older_than_installed
from ..data.dataset import SPLITS
from ..errors import ConfigError
from ..gates.collection import CollectedSuite
from ..interfaces.model import Budget, ModelUnknown, budget_from_options
from ..reporting import terminal
from ..results.acceptance import accepting
from ..results.finding import Findings
from ..results.outcome import Outcome, collect_outcomes
from ..results.score import Score, Unmeasurable
from ..results.session_results import REPORT_PROPERTY
from ..session.context import DEFAULT_ALIAS, SessionContext
from . import parametrize

if TYPE_CHECKING:
    from ..gates.data_gate import DataGate
    from ..gates.model_gate import ModelGate

OUTCOMES = pytest.StashKey[list[Outcome]]()
FINDINGS = pytest.StashKey[list[Findings]]()
REPORT_ATTRIBUTE = "tunegate_found"  # of a report: xdist transfers it, JUnit leaves it out


class GateSession:
    """The hooks of one pytest session; what they know is in `context`.

    Findings can be accepted (`accepts`) in the data suite alone: a model suite uses findings to
    leave rows out, and who accepted a row for training did not say that it may be tested on.
    """

    context: SessionContext  # from pytest_configure on
    pytest_config: pytest.Config

    def __init__(self, root: Path) -> None:
        self.root = root
        self.suites: list[Path] = []
        self.accepts = False
        self.gate: DataGate | ModelGate | None = None
        self.collected = CollectedSuite([])
        self.collected_ids: list[str] = []
        self.shown_tables: dict[str, str] = {}  # heading and table -> the test it stands under
        self.any_failed, self.save_error = False, ""
        self.session_ran = False

    # Start: options, configuration, data, trainer and model are checked before the first test.

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Resolve configuration, suite, data, trainer and model; a mistake ends pytest, exit 4."""
        self.pytest_config = config
        config.addinivalue_line("markers", parametrize.SPLIT_MARKER)
        session = SessionContext(self.root, config.rootpath, config.pluginmanager, self.print_line)
        self.context = session
        try:
            self.resolve_options(session, config)
            if hasattr(config, "workerinput"):  # xdist's workers test; the controller decides
                session.budget = make_budget(config)
                return
            trainer, model, alias = map(config.getoption, ("train_with", "model", "promote"))
            if trainer and model:
                raise ConfigError("--train-with and --model in one session: one suite at a time")
            if config.getoption("elsewhere") and not trainer:
                raise ConfigError("--elsewhere needs the trainer's settings: --train-with TRAINER")
            if alias and not model:
                raise ConfigError("--promote needs the candidate: --model latest, or run:ID")
            session.budget = make_budget(config)
            self.gate = make_gate(session, config)
        except (ConfigError, ModelUnknown) as error:
            raise pytest.UsageError(str(error)) from None

    def resolve_options(self, session: SessionContext, config: pytest.Config) -> None:
        """Set suite, data files, candidate, alias and accepted findings; raises ConfigError."""
        folder, option = config.invocation_params.dir, config.getoption
        _, table = read_table(self.root)
        self.suites = suites.suite_folders(table.get("suites", {}), self.root)
        suite = session.suite = suites.suite_of_args(config.args, folder, self.suites)
        given_files = {split: option(f"{split}_data") for split in SPLITS}
        if suite is not None or any(given_files.values()):
            session.splits = find_data_files(session.config, self.root, given_files, folder)
        for split, path in session.splits.paths.items():
            setattr(config.option, f"{split}_data", str(path))  # xdist's workers get it absolute
        if model := option("model"):
            from ..models.spec import resolve_candidate

            session.candidate = resolve_candidate(model, session.state)
        session.alias = option("promote") or DEFAULT_ALIAS
        if option("each_example"):
            if suite is None or not model:
                raise ConfigError("--each-example goes with a model suite and --model MODEL")
            if not (file := suite / parametrize.EACH_EXAMPLE_FILE).is_file():
                advice = "which is not there; `tunegate init` writes it"
                raise ConfigError(f"--each-example runs {file}, {advice}")
        if suite is not None and suite == (self.root / session.config.suites.data).resolve():
            from ..checking.accepted import read_accepted

            session.accepted, self.accepts = read_accepted(self.root), True

    # Collection.

    @pytest.hookimpl(wrapper=True)
    def pytest_ignore_collect(self, collection_path: Path) -> Generator[None, object, object]:
        """Keep a bare `pytest` out of the suites: model calls cost money."""
        ignored = yield
        suite = self.context.suite
        if suite is None:
            return True if collection_path in self.suites else ignored
        each_example = self.pytest_config.getoption("each_example")
        if collection_path == suite / parametrize.EACH_EXAMPLE_FILE and not each_example:
            return True
        if ignored and suite in collection_path.parents and collection_path.suffix == ".py":
            self.collected.removed.append(collection_path.relative_to(self.root).as_posix())
        return ignored

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test that asks for `dataset` once per split, for `prediction` once per example."""
        splits = self.context.splits
        parametrize.parametrize_dataset(metafunc, list(splits.paths))
        if "prediction" in metafunc.fixturenames:
            test = splits.get("test")
            ids = parametrize.example_ids(test)
            metafunc.parametrize("prediction", range(len(test)), ids=ids, indirect=True)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Note what was collected before any conftest takes something out."""
        self.collected_ids = [item.nodeid for item in items]
        return (yield)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that skips itself: its tests are in no list."""
        if report.skipped:
            self.collected.skipped.append(report.nodeid)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the collected tests as JSON, for `--inventory`."""
        if listing := self.pytest_config.getoption("inventory"):
            collected = self.collected
            collected.tests[:] = [item.nodeid for item in session.items]
            collected.removed.extend(n for n in self.collected_ids if n not in set(collected.tests))
            Path(listing).write_text(json.dumps(asdict(collected)), "utf-8")

    # Each test.

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Collect the outcomes and findings of a test and its fixtures; accept what is accepted."""
        collect: AbstractContextManager[list[Findings]] = nullcontext([])
        if self.accepts:
            collect = accepting(self.context.accepted)
        with collect_outcomes() as outcomes, collect as findings:
            item.stash[OUTCOMES], item.stash[FINDINGS] = outcomes, findings
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put outcomes, digests and findings into the report, and tables of what did not hold."""
        outcomes = item.stash.get(OUTCOMES, [])
        if call.when == "call":
            # Builtins only: properties survive xdist and JUnit.
            error, digests = call.excinfo, self.digests_of(item)
            note = {
                "digests": [[name, digest] for name, digest in digests.items()],
                "judgements": [outcome.to_dict() for outcome in outcomes],
                "unmeasurable": error is not None and error.errisinstance(Unmeasurable),
            }
            item.user_properties.append((REPORT_PROPERTY, note))
        report = yield
        # The tables are sections: they survive --show-capture=no and reach JUnit. A table that
        # stands under another test already is a reference to it: accuracy and macro-F1 miss the
        # same rows. The table of an expected failure is not printed, so none can refer to it.
        add_section = getattr(report.longrepr, "addsection", None)
        if call.excinfo is not None and add_section is not None:
            shown = self.shown_tables if report.failed else {}
            verbosity = self.pytest_config.get_verbosity()
            for title, table in terminal.failure_tables(outcomes, verbosity):
                first = shown.setdefault(f"{title}\n{table}", report.nodeid)
                add_section(title, table if first == report.nodeid else f"as under {first}", "-")
        if self.accepts and call.when == "call":
            findings: list[Findings] = item.stash.get(FINDINGS, [])
            setattr(report, REPORT_ATTRIBUTE, last_findings.to_dicts(findings))
        return report

    def digests_of(self, item: pytest.Item) -> dict[str, str]:
        """Return by name the digests of the splits and models that a test has judged."""
        fixtures = getattr(item, "fixturenames", ())
        params = getattr(getattr(item, "callspec", None), "params", {})
        digests = self.context.splits.read_digests()
        if self.context.candidate and "predictions" in fixtures:
            digests |= self.context.models.judged
        names = {*fixtures, params.get("dataset")}
        return {name: digest for name, digest in digests.items() if name in names}

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        """Explain a score that missed its limit; None where the comparison held."""
        if isinstance(left, Score) and isinstance(right, int | float):
            return terminal.explain_failure(left, op, float(right))
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the report and its findings, then colour its tables for the terminal."""
        self.context.results.add(report)
        self.context.seen.add(getattr(report, REPORT_ATTRIBUTE, []))
        self.any_failed |= report.failed
        reporter = self.terminal_reporter()
        sections = getattr(report.longrepr, "sections", None)
        # By now other reporters, such as JUnit's, have their copy without colour.
        if sections and reporter is not None and reporter.hasmarkup:
            sections[:] = [
                (name, terminal.colourise(str(text)), sep) for name, text, sep in sections
            ]

    # The end.

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what was accepted, the scores that were judged, and the hints."""
        session, write = self.context, terminalreporter.write_line
        verbosity = self.pytest_config.get_verbosity()
        accepted = session.seen.to_receipt(session.accepted)
        if self.accepts and self.any_failed and len(session.seen.findings) != len(accepted):
            ids = "an id above" if verbosity > 0 else "-v shows ids"
            advice = f'known, and right as it is? {ids}: tunegate accept ID --why "..."'
            write(self.save_error or advice)
        passed = session.results.passed if session.suite else {}
        for title, lines in (
            ("accepted", terminal.accepted_lines(accepted, verbosity)),
            *terminal.session_summary(passed, verbosity > 0),
        ):
            if lines:
                terminalreporter.write_sep("=", title)
            for line in lines:
                write(line)
        if session.suite and (older := older_than_installed(self.root)):
            self.print_line("suites", older)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Save the findings for `tunegate accept`, and note an exception that another hook raises.

        A `pytest.exit` in another hook would leave no other trace. xdist's workers save nothing:
        the controller has their reports.
        """
        self.session_ran = True
        try:
            if self.accepts and not hasattr(session.config, "workerinput"):
                seen, results = self.context.seen, self.context.results
                seen.tests = {*results.passed, *results.failed, *results.not_passed}
                try:
                    seen.digests = self.context.splits.current_digests()
                    seen.save(self.context.state)
                except OSError as error:
                    self.save_error = f"what was found is not kept for `tunegate accept`: {error}"
            return (yield)
        except BaseException as error:
            failure = f"{type(error).__name__} raised"
            self.context.results.not_passed["pytest_sessionfinish"] = failure
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self) -> Generator[None, object, object]:
        """Open or close the gate after the session, when every other plugin has set its status."""
        try:
            status = yield
        except BaseException:
            self.finish_gate(1)
            raise
        return self.finish_gate(int(status or 0))  # type: ignore[call-overload]

    def finish_gate(self, status: int) -> int:
        """Print what was spent, let the gate decide, and return the exit status of pytest."""
        if self.gate is None or not self.session_ran:  # with --help no session runs
            return status
        if spent := str(self.context.budget):
            self.print_line("asked", spent)
        try:
            return self.gate.finish(status)
        except (OSError, KeyboardInterrupt) as error:
            self.print_line("gate", f"closed: {error or 'interrupted'}", good=False)
            return status or 1

    def print_line(self, label: str, text: str, good: bool | None = None) -> None:
        """Print a decision of tunegate, with a label before it."""
        reporter, text = self.terminal_reporter(), text.replace("\n", "\n" + " " * 10)
        if reporter is None:
            print(f"{label:<10}{text}")
            return
        colour = {} if good is None else {"green": good, "red": not good}
        reporter.ensure_newline()
        if self.pytest_config.get_terminal_writer().width_of_current_line:  # xdist's progress
            reporter.write_line("")
        reporter.write(f"{label:<10}", bold=True)
        reporter.write_line(text, **colour)

    def terminal_reporter(self) -> pytest.TerminalReporter | None:
        """Return pytest's reporter; None under `-p no:terminal`."""
        return self.pytest_config.pluginmanager.get_plugin("terminalreporter")


def make_budget(config: pytest.Config) -> Budget:
    """Return what the session may spend on answers; raises ConfigError."""
    option = config.getoption
    if option("train_with"):
        return Budget()  # the trainer compares its own estimate with --max-cost
    uses_xdist = bool(option("tx", None))  # -n sets it too
    return budget_from_options(
        option("max_requests"), option("max_cost"), option("model"), uses_xdist
    )


def make_gate(session: SessionContext, config: pytest.Config) -> DataGate | ModelGate | None:
    """Return the gate that the options ask for, None without one; raises ConfigError."""
    option = config.getoption
    trainer, model = option("train_with"), option("model")
    if (trainer or model) and sys.flags.optimize:
        raise ConfigError("gates are refused under python -O (PYTHONOPTIMIZE): asserts vanish")
    if trainer:
        from ..gates.data_gate import DataGate

        elsewhere, max_cost = option("elsewhere"), option("max_cost")
        return DataGate(session, trainer, elsewhere=elsewhere, max_cost=max_cost)
    if model:
        from ..gates.model_gate import ModelGate
        from ..gates.reason import checked_reason

        return ModelGate(session, model, option("promote"), checked_reason(option("why")))
    return None
