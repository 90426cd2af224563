"""The hooks of a pytest session in a project of tunegate; other packages hold the rules."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from ..checking.accepted import read_accepted, to_dicts
from ..config.project import public_lists, read_table, suite_folders, suite_of_args
from ..data import SPLITS
from ..errors import ConfigError
from ..exit_codes import INTERRUPTED
from ..interfaces.model import budget_from_options
from ..reporting import terminal
from ..results.finding import Findings
from ..results.outcome import Outcome, collect_outcomes, record
from ..results.score import Score, Unmeasurable
from ..results.session_results import REPORT_PROPERTY, SessionResults, outcome_dicts
from ..session.context import DEFAULT_ALIAS, SessionContext
from ..utils.files import sha256_ascii_json
from ..utils.masking import let_through, mask
from ..utils.optional_deps import MissingDependency
from ..utils.text import os_error_text
from . import fixtures
from .fixtures import ModelSilent, SessionMistake

if TYPE_CHECKING:
    from ..gates.data_gate import DataGate, NewTestSetGate
    from ..gates.model_gate import ModelGate
    from ..storage.state_dir import Run
    from .listing import SuiteListing

OUTCOMES = pytest.StashKey[list[Outcome]]()
REPORTED = pytest.StashKey[int]()  # how many of the outcomes the report of the call holds
# What the workers of xdist send to the controller.
NOT_APPLICABLE_KEY, USAGE_ERROR_KEY = "tunegate_not_applicable", "tunegate_usage_error"
REPORT_ATTRIBUTE = "tunegate_found"  # of a report: xdist transfers it, JUnit leaves it out

Wrapper: TypeAlias = Generator[None, object, object]  # of a hook
EACH_EXAMPLE_FILE = "test_each_example.py"  # of a suite; collected under --each-example only
SPLIT_MARKER = "split(*names): run a test that asks for `dataset` on these splits only"


def asked_verbosity(config: pytest.Config) -> int:
    """Return pytest's verbosity; each -v of the command line counts, though `addopts` has a -q."""
    args = [str(arg) for arg in config.invocation_params.args]
    flags = [arg for arg in args if re.fullmatch("-[hlqsvx]+", arg)]  # -sv is two of them
    asked = sum(arg.count("v") for arg in flags) + args.count("--verbose")
    return max(config.get_verbosity(), asked)


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
        self.gate: DataGate | ModelGate | NewTestSetGate | None = None
        self.for_run: Run | None = None
        self.listing: SuiteListing | None = None
        self.not_applicable: list[str] = []
        self.shown_tables: dict[str, str] = {}  # heading and table -> the test it stands under
        self.fixture_outcomes: dict[pytest.FixtureDef[Any], list[Outcome]] = {}
        self.any_failed, self.save_error = False, ""
        self.session_ran = self.interrupted = self.gate_is_told = False

    # Start: options, configuration, data, trainer and model are checked before the first test.

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Resolve configuration, suite, data, trainer and model; a mistake ends pytest, exit 4."""
        self.pytest_config = config
        for marker in (SPLIT_MARKER, fixtures.TASK_MARKER, fixtures.RULE_MARKER):
            config.addinivalue_line("markers", marker)
        session = SessionContext(self.root, config.rootpath, config.pluginmanager, self.print_line)
        self.context = config.stash[fixtures.SESSION] = session
        option = config.getoption
        session.import_mode = option("importmode")
        try:
            self.resolve_options(session, config)
            if session.suite is not None:
                from .executed import watch_suite

                session.state.check()
                public = ExitStack()
                public.enter_context(let_through(*public_lists(self.root)))
                config.add_cleanup(public.close)
                watch_suite(session, config)
            if path := option("inventory"):
                from .listing import SuiteListing

                self.listing = SuiteListing(Path(path), session.suite, EACH_EXAMPLE_FILE)
                config.pluginmanager.register(self.listing, "tunegate-listing")
            trainer, model, alias = map(option, ("train_with", "model", "promote"))
            if self.for_run and (trainer or model):
                raise ConfigError("--for RUN goes alone: it trains and scores nothing")
            bounds = option("max_requests"), option("max_cost")
            # A trainer compares its own estimate with --max-cost.
            if bounds != (None, None) and not trainer:
                uses_xdist = bool(option("tx", None))  # -n sets it too
                suites = session.config.suites
                gates = [(self.root / name).resolve() for name in (suites.data, suites.model)]
                asks = bool(model) or session.suite not in (None, *gates)
                session.budget = budget_from_options(*bounds, asks, uses_xdist)
            if hasattr(config, "workerinput"):  # xdist's workers test; the controller decides
                return
            if trainer and model:
                raise ConfigError("--train-with and --model in one session: one suite at a time")
            wanted = [f"--{name}" for name in ("elsewhere", "probe") if option(name)]
            if wanted and not trainer:
                raise ConfigError(f"{wanted[0]} needs the trainer's settings: --train-with TRAINER")
            if len(wanted) > 1:
                raise ConfigError("--probe trains here, --elsewhere does not: leave one out")
            if alias is not None and not model:
                raise ConfigError("--promote needs the candidate: --model latest, or run:ID")
            if trainer or model or self.for_run:
                self.gate = make_gate(session, config, self.for_run)
        except (ConfigError, OSError) as error:
            raise pytest.UsageError(mask(os_error_text(error))) from None

    def resolve_options(self, session: SessionContext, config: pytest.Config) -> None:
        """Set suite, data files, candidate, alias and accepted findings; raises ConfigError."""
        folder, option = config.invocation_params.dir, config.getoption
        _, table = read_table(self.root)
        self.suites = suite_folders(table.get("suites", {}), self.root)
        suite = session.suite = suite_of_args(config.args, folder, self.suites)
        given_files = {split: option(f"{split}_data") for split in SPLITS}
        if (name := option("for_run")) and not hasattr(config, "workerinput"):
            from ..gates.data_gate import take_rows_of_run

            self.for_run = take_rows_of_run(session.state, name, given_files)
        if session.is_shadow:
            given_files["test"] = session.take_traffic(given_files["test"])
        if suite is not None or any(given_files.values()):
            from ..config.data_files import find_data_files

            session.splits = find_data_files(session.config, self.root, given_files, folder)
            for split, path in session.splits.paths.items():  # xdist's workers get it absolute
                setattr(config.option, f"{split}_data", str(path))
        if session.is_shadow:
            reading = session.splits.reading
            session.splits.reading = replace(reading, group_by=("conversation", *reading.group_by))
        if model := option("model"):
            from ..models.spec import resolve_candidate

            session.candidate = resolve_candidate(model, session.state, lambda: session.plugins)
        session.choose_rows(option("limit"), option("repeat"))
        incumbent = session.config.shadow.incumbent if session.is_shadow else DEFAULT_ALIAS
        session.alias = option("promote") or incumbent
        if not hasattr(config.option, "answers_since"):  # xdist's workers are given it
            age = 0.0 if option("fresh") else option("max_answer_age")
            config.option.answers_since = 0.0 if age is None else time.time() - age
        session.state.answers_since = config.option.answers_since
        if option("each_example"):
            if suite is None or not model:
                raise ConfigError("--each-example goes with a model suite and --model MODEL")
            if not (file := suite / EACH_EXAMPLE_FILE).is_file():
                advice = "which is not there; `tunegate init` writes it"
                raise ConfigError(f"--each-example runs {file}, {advice}")
        if suite is not None and suite == (self.root / session.config.suites.data).resolve():
            session.accepted, self.accepts = read_accepted(self.root), True

    # Collection.

    @pytest.hookimpl(wrapper=True)
    def pytest_ignore_collect(self, collection_path: Path) -> Wrapper:
        """Keep a bare `pytest` out of the suites: model calls cost money."""
        ignored = yield
        left_out = self.suites
        if suite := self.context.suite:
            each_example = self.pytest_config.getoption("each_example")
            left_out = [] if each_example else [suite / EACH_EXAMPLE_FILE]
        return True if collection_path in left_out else ignored

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Wrapper:
        """Take out the tests for other tasks; list the others before a conftest takes some out.

        A worker of xdist tells its controller what it found: a usage error would crash it.
        """
        others, config = [], self.pytest_config
        if self.listing:
            self.listing.files_with_tests = {item.path for item in items}
        output: dict[str, Any] = getattr(config, "workeroutput", {})
        try:
            if suite := self.context.suite:
                fixtures.refuse_shadowed_fixtures(items, suite, config.rootpath)
                others = fixtures.tests_for_other_tasks(items, self.context.config)
        except pytest.UsageError as error:
            if not hasattr(config, "workeroutput"):
                raise
            output[USAGE_ERROR_KEY], others = str(error), [*items]
        if others:
            left_out = {*others}
            items[:] = [item for item in items if item not in left_out]
            config.hook.pytest_deselected(items=others)
        self.not_applicable = output[NOT_APPLICABLE_KEY] = [item.nodeid for item in others]
        if self.listing:
            self.listing.ids = [item.nodeid for item in items]
        return (yield)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of xdist found while it collected; raise its usage error."""
        output = getattr(node, "workeroutput", {})
        if USAGE_ERROR_KEY in output:
            raise pytest.UsageError(output[USAGE_ERROR_KEY])
        self.not_applicable = output.get(NOT_APPLICABLE_KEY, self.not_applicable)

    # Each test.

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Wrapper:
        """Collect the outcomes of a test and its fixtures; accept what is accepted."""
        mode = self.context.config.limits.mode if self.context.suite else "point"
        with collect_outcomes(self.context.accepted if self.accepts else None, mode) as outcomes:
            item.stash[OUTCOMES], item.stash[REPORTED] = outcomes, 0
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Wrapper:
        """Collect the outcomes of a fixture: what it found concerns every test that uses it."""
        made: list[Outcome] = []
        try:
            with collect_outcomes() as made:
                return (yield)
        finally:
            made = [o if o.fixture else replace(o, fixture=fixturedef.argname) for o in made]
            self.fixture_outcomes.pop(fixturedef, None)
            if made:
                self.fixture_outcomes[fixturedef] = made
            for outcome in made:
                record(outcome)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put outcomes, digests and findings into the report, and tables of what did not hold."""
        outcomes = item.stash.get(OUTCOMES, [])
        error = call.excinfo and call.excinfo.value
        # Its message says what to mend: where it was raised tells nothing. A mark may expect it.
        told = (self.context.suite or call.when == "setup") and not item.get_closest_marker("xfail")
        if told and isinstance(error, ConfigError | MissingDependency):
            shown = SessionMistake(str(error), pytrace=False).with_traceback(error.__traceback__)
            call.excinfo = pytest.ExceptionInfo.from_exception(shown)
        if call.when == "call" and self.fixture_outcomes:
            self.add_shared_findings(item, outcomes)
        self.note_outcomes(item, call, outcomes)
        report = yield
        self.shorten_failure(report, call)
        if call.excinfo is not None:
            self.add_tables(report, outcomes)
        if call.when == "call":
            item.stash[REPORTED] = len(outcomes)
            if self.accepts:
                findings = [o.subject for o in outcomes if isinstance(o.subject, Findings)]
                setattr(report, REPORT_ATTRIBUTE, to_dicts(findings))
        if self.context.suite:
            from .executed import mask_report

            mask_report(report)
        return report

    def note_outcomes(
        self, item: pytest.Item, call: pytest.CallInfo[Any], outcomes: Sequence[Outcome]
    ) -> None:
        """Put what was judged since the last note into the item's properties, as builtins."""
        error, properties = call.excinfo, item.user_properties
        if call.when == "call":  # the report of each subtest has a note too: the last one is whole
            properties[:] = [pair for pair in properties if pair[0] != REPORT_PROPERTY]
            item.stash[REPORTED] = 0
        new = outcomes[item.stash.get(REPORTED, 0) :]
        unmeasurable = error is not None and error.errisinstance((Unmeasurable, ModelSilent))
        if not (call.when == "call" or (call.when == "teardown" and new) or unmeasurable):
            return
        # The splits and models that the test has judged.
        names = {*getattr(item, "fixturenames", ())}
        names.add(getattr(getattr(item, "callspec", None), "params", {}).get("dataset"))
        read = {} if names.isdisjoint(SPLITS) else self.context.splits.read
        digests = {name: split.digest for name, split in read.items()}
        if self.context.candidate and "predictions" in names:
            digests |= self.context.models.judged
        # Builtins only: properties survive xdist and JUnit.
        note = {
            "when": call.when,
            "digests": [[name, value] for name, value in digests.items() if name in names],
            "judgements": outcome_dicts(new, error is None),
            "unmeasurable": unmeasurable,
        }
        if self.context.suite and fixtures.has_nothing_to_judge(item):
            note["idle"] = True
        properties.append((REPORT_PROPERTY, note))
        self.context.results.made.setdefault(item.nodeid, {})[call.when] = sha256_ascii_json(note)

    def shorten_failure(self, report: pytest.TestReport, call: pytest.CallInfo[Any]) -> None:
        """Show a mistake of the session once, and no address in memory."""
        if call.excinfo is not None and isinstance(call.excinfo.value, SessionMistake):
            first = self.shown_tables.setdefault(str(call.excinfo.value), report.nodeid)
            report.longrepr = report.longrepr if first == report.nodeid else f"as under {first}"
        for entry in getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", ()):
            entry.lines[:] = map(terminal.without_addresses, getattr(entry, "lines", ()))
        if crash := getattr(report.longrepr, "reprcrash", None):  # of the summary, of JUnit
            crash.message = terminal.without_addresses(crash.message)

    def add_tables(self, report: pytest.TestReport, outcomes: Sequence[Outcome]) -> None:
        """Put a table of what did not hold under a failure.

        The tables are sections: they survive --show-capture=no and reach JUnit. A table that stands
        under another test already is a reference to it: accuracy and macro-F1 miss the same rows.
        The table of an expected failure is not printed, so none can refer to it.
        """
        if (add_section := getattr(report.longrepr, "addsection", None)) is None:
            return
        shown = self.shown_tables if report.failed else {}
        verbosity = asked_verbosity(self.pytest_config)
        for title, table in terminal.failure_tables(outcomes, verbosity, accepts=self.accepts):
            first = shown.setdefault(f"{title}\n{table}", report.nodeid)
            add_section(title, table if first == report.nodeid else f"as under {first}", "-")

    def add_shared_findings(self, item: pytest.Item, outcomes: list[Outcome]) -> None:
        """Add what a fixture found that an earlier test has set up, except for advice."""
        funcargs, known = getattr(item, "funcargs", {}), set(map(id, outcomes))
        for fixture, made in self.fixture_outcomes.items():
            value = fixture.cached_result[0] if fixture.cached_result else None
            if fixture.argname in funcargs and funcargs[fixture.argname] is value:
                shared = (o for o in made if o.data.get("found") and not o.data.get("advisory"))
                outcomes.extend(o for o in shared if id(o) not in known)

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        """Explain a score that missed its limit; None where the comparison held."""
        if isinstance(left, Score) and isinstance(right, int | float):
            return terminal.explain_failure(left.held_to(right, op), op, float(right))
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the report and its findings, then colour its tables for the terminal."""
        self.context.results.add(report)
        self.context.seen.add(getattr(report, REPORT_ATTRIBUTE, []))
        self.any_failed |= report.failed
        reporter = self.pytest_config.pluginmanager.get_plugin("terminalreporter")
        sections = getattr(report.longrepr, "sections", None)
        # By now other reporters, such as JUnit's, have their copy without colour.
        if sections and reporter is not None and reporter.hasmarkup:
            sections[:] = [(n, terminal.colourise(str(text)), sep) for n, text, sep in sections]

    # The end.

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what was accepted, the scores that were judged, and the hints."""
        session, write = self.context, terminalreporter.write_line
        verbosity = asked_verbosity(self.pytest_config)
        accepted = session.seen.to_receipt(session.accepted) if session.accepted else []
        if self.accepts and self.any_failed and len(session.seen.findings) != len(accepted):
            ids = "an id above" if verbosity > 0 else "-v shows ids"
            advice = f'known, and right as it is? {ids}: tunegate accept ID --why "..."'
            write(self.save_error or advice)
        results = session.results if session.suite else SessionResults()
        for title, lines in (
            ("accepted", terminal.accepted_lines(accepted, verbosity) if accepted else []),
            *((o["name"], terminal.grid(o["table"])) for o in session.results.tables()),
            *terminal.session_summary(
                results.passed, verbosity > 0, self.not_applicable, session.asked, results.failed
            ),
        ):
            if lines:
                terminalreporter.write_sep("=", title)
            for line in lines:
                write(mask(line))
        if self.accepts and os.environ.get("GITHUB_ACTIONS") == "true":
            found = [f for f in session.seen.every if not f["accepted"]]
            top = Path(os.environ.get("GITHUB_WORKSPACE") or self.root)
            for line in terminal.annotations(found, session.splits.paths, top):
                write(line)
        if session.suite:
            from ..config.suite_files import older_than_installed

            if older := older_than_installed(self.root):
                self.print_line("suites", older)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Wrapper:
        """Save findings for `tunegate accept`; note an exception that leaves no other trace."""
        self.session_ran = True
        try:
            if self.accepts and not hasattr(session.config, "workerinput"):
                seen, results = self.context.seen, self.context.results
                seen.tests = {*results.passed, *results.failed, *results.not_passed}
                try:
                    seen.digests = self.context.splits.current_digests()
                    seen.save(self.context.state)
                except OSError as error:
                    why = os_error_text(error)
                    self.save_error = f"what was found is not kept for `tunegate accept`: {why}"
            return (yield)
        except BaseException as error:
            failure = f"{type(error).__name__} raised"
            self.context.results.not_passed["pytest_sessionfinish"] = failure
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self) -> Wrapper:
        """Open or close the gate after the session, when every other plugin has set its status."""
        try:
            status: Any = yield
        except pytest.UsageError:  # one line says what is wrong
            raise
        except BaseException:
            self.finish_gate(1)
            raise
        return self.finish_gate(INTERRUPTED if self.interrupted else int(status or 0))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note a Ctrl-C in a suite; `pytest.exit` and others end a session this way too."""
        self.interrupted = bool(self.context.suite) and excinfo.type is KeyboardInterrupt

    def finish_gate(self, status: int) -> int:
        """Print what was spent, let the gate decide, and return the exit status of pytest."""
        if not self.session_ran or hasattr(self.pytest_config, "workerinput"):
            return status  # with --help no session runs; xdist's workers decide nothing
        if spent := str((c := self.context).budget):
            self.print_line("asked", spent)
        if self.gate is None:
            ignored = self.context.results.ignored_findings() if self.context.suite else ""
            if ignored:
                self.print_line("findings", ignored, good=False)
            return status or int(bool(ignored))
        if c.candidate and (note := c.models.cached_note(c.splits)):
            self.print_line("cached", note)
        try:
            return self.gate.finish(status)
        except (ConfigError, OSError, KeyboardInterrupt) as error:
            label, text = ("stopped", "") if self.gate_is_told else ("gate", "closed: ")
            self.print_line(label, text + (os_error_text(error) or "interrupted"), good=False)
            return status or (INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1)

    def print_line(self, label: str, text: str, good: bool | None = None) -> None:
        """Print a decision of tunegate, with a label before it."""
        self.gate_is_told |= label == "gate"
        reporter = self.pytest_config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:  # -p no:terminal
            print(f"{label:<10}{terminal.behind_label(mask(text), terminal.WIDTH)}")
            return
        writer = self.pytest_config.get_terminal_writer()
        colour = {} if good is None else {"green": good, "red": not good}
        reporter.ensure_newline()
        if writer.width_of_current_line:  # xdist's progress
            reporter.write_line("")
        reporter.write(f"{label:<10}", bold=True)
        reporter.write_line(terminal.behind_label(mask(text), writer.fullwidth), **colour)
        reporter.flush()


def make_gate(
    session: SessionContext, config: pytest.Config, run: Run | None
) -> DataGate | ModelGate | NewTestSetGate:
    """Return the gate of --train-with, of --model or, with a run, of --for; raises ConfigError."""
    option = config.getoption
    if sys.flags.optimize:
        raise ConfigError("gates are refused under python -O (PYTHONOPTIMIZE): asserts vanish")
    for plugin in ("threadexception", "unraisableexception"):
        if not config.pluginmanager.has_plugin(plugin):
            raise ConfigError(f"gates are refused under -p no:{plugin}: errors of tests vanish")
    if run or option("train_with"):
        from ..gates.data_gate import DataGate, NewTestSetGate

        if run:
            return NewTestSetGate(session, run)
        names = ("elsewhere", "max_cost", "probe")
        return DataGate(session, option("train_with"), **{name: option(name) for name in names})
    from ..gates.model_gate import ModelGate
    from ..storage.registry import checked_reason

    return ModelGate(session, option("model"), option("promote"), checked_reason(option("why")))
