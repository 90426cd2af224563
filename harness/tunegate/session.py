"""The hooks of a session in a project that uses tunegate; what they decide is decided elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import each_example, evidence, render, suites
from .dataset import SPLITS
from .inventory import Inventory
from .ledger import Judgement, recording
from .project import ConfigError, read_table
from .protocols import ModelUnknown
from .score import Score
from .splits import Splits, locate
from .state import State
from .tally import Tally

if TYPE_CHECKING:
    from .accepting import Accepting
    from .budget import Budget
    from .config import Config
    from .extensions import Extensions
    from .judging import Judging
    from .models import Candidate
    from .roles import Roles
    from .training import Training

USUAL_ALIAS = "production"  # whose model is the incumbent, where --promote names no other
LEDGER = pytest.StashKey[list[Judgement]]()


class GateSession:
    """One pytest session: its configuration, its data, and what became of its tests."""

    splits: Splits
    pytest_config: pytest.Config

    def __init__(self, root: Path) -> None:
        self.root, self.state = root, State(root)
        self.tally = Tally()
        self.suite: Path | None = None
        self.suites: list[Path] = []
        self.candidate: Candidate | None = None
        self.alias, self.each_example = USUAL_ALIAS, False
        self.errand: Training | Judging | None = None
        self.accepting: Accepting | None = None
        self.inventory = Inventory([])
        self.before_removal: list[str] = []
        self.tables_told: dict[str, str] = {}  # heading and table -> the test it stands under
        self.began = False

    @cached_property
    def config(self) -> Config:
        """The configuration, validated; raises ConfigError."""
        from .config import load

        return load(self.root)

    @cached_property
    def extensions(self) -> Extensions:
        """The trainers and models there are; asked for only where one is needed."""
        from .extensions import gather

        return gather(self.pytest_config.pluginmanager)

    @cached_property
    def budget(self) -> Budget:
        """What the session may spend on answers; raises ConfigError."""
        from .budget import Budget, agreed

        given = self.pytest_config.getoption
        if given("train_with"):
            return Budget()  # the trainer holds what it estimates against --max-cost
        spread = bool(given("tx", None))  # xdist's; -n sets it too
        return agreed(given("max_requests"), given("max_cost"), given("model"), spread)

    @cached_property
    def roles(self) -> Roles:
        """The models of the session."""
        from .roles import Roles

        return Roles(self)

    # Start: everything that a typo can spoil is looked at before the first test.

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Resolve configuration, suite, data, trainer and model; a mistake ends here, exit 4."""
        self.pytest_config = config
        config.addinivalue_line("markers", evidence.MARK)
        try:
            self._configure(config)
        except (ConfigError, ModelUnknown) as error:
            raise pytest.UsageError(str(error)) from None

    def _configure(self, config: pytest.Config) -> None:
        here = config.invocation_params.dir
        _, table = read_table(self.root)
        self.suites = suites.folders(table.get("suites", {}), self.root)
        self.suite = suites.named(config.args, here, self.suites)
        given = {split: config.getoption(f"{split}_data") for split in SPLITS}
        wanted = self.suite is not None or any(given.values())
        self.splits = locate(self.config, self.root, given, here) if wanted else Splits({})
        for split, path in self.splits.paths.items():
            setattr(config.option, f"{split}_data", str(path))  # xdist's workers get it absolute
        if model := config.getoption("model"):
            from .models import candidate

            self.candidate = candidate(model, self.state)
        self.alias = config.getoption("promote") or USUAL_ALIAS
        self.each_example = each_example.wanted(config, self.suite)
        self.accepting = self._accepting(config)
        if not hasattr(config, "workerinput"):  # xdist's workers test; the controller decides
            self.errand = self._errand(config)

    def _accepting(self, config: pytest.Config) -> Accepting | None:
        data = self.suite and (self.root / self.config.suites.data).resolve()
        if data is None or self.suite != data:
            return None
        from .accepting import Accepting

        accepting = Accepting(self.root)
        config.pluginmanager.register(accepting, "tunegate-accepting")
        return accepting

    def _errand(self, config: pytest.Config) -> Training | Judging | None:
        trainer, model, alias = map(config.getoption, ("train_with", "model", "promote"))
        if trainer and model:
            raise ConfigError("--train-with and --model in one session: one suite at a time")
        if config.getoption("elsewhere") and not trainer:
            raise ConfigError("--elsewhere needs the trainer's settings: --train-with TRAINER")
        if alias and not model:
            raise ConfigError("--promote needs the candidate: --model latest, or run:ID")
        _ = self.budget  # refused now, or never
        if (trainer or model) and sys.flags.optimize:
            raise ConfigError("gates are refused under python -O (PYTHONOPTIMIZE): asserts vanish")
        if trainer:
            from .training import Training

            return Training(self, trainer)
        if model:
            from .judging import Judging
            from .reason import stated

            return Judging(self, model, alias, stated(config.getoption("why")))
        return None

    # Collection.

    @pytest.hookimpl(wrapper=True)
    def pytest_ignore_collect(self, collection_path: Path) -> Generator[None, object, object]:
        """Keep a bare `pytest` out of the suites: model calls cost money."""
        ignored = yield
        if self.suite is None:
            return True if collection_path in self.suites else ignored
        if collection_path == self.suite / each_example.FILE and not self.each_example:
            return True
        if ignored and self.suite in collection_path.parents and collection_path.suffix == ".py":
            self.inventory.removed.append(collection_path.relative_to(self.root).as_posix())
        return ignored

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test that asks for `dataset` once per split."""
        evidence.parametrize(metafunc, list(self.splits.paths))
        if "prediction" in metafunc.fixturenames:
            each_example.parametrize(metafunc, self.splits.get("test"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Note what was collected before any conftest takes something out."""
        self.before_removal = [item.nodeid for item in items]
        return (yield)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that skips itself: what it holds is on nobody's list."""
        if report.skipped:
            self.inventory.skipped.append(report.nodeid)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Answer `--inventory`."""
        if listing := self.pytest_config.getoption("inventory"):
            found = self.inventory
            found.tests[:] = [item.nodeid for item in session.items]
            found.removed.extend(n for n in self.before_removal if n not in set(found.tests))
            Path(listing).write_text(json.dumps(asdict(found)), "utf-8")

    # Each test.

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Open a ledger for the test and its fixtures."""
        with recording() as ledger:
            item.stash[LEDGER] = ledger
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put judgements into the report, and tables of what did not hold."""
        ledger = item.stash.get(LEDGER, [])
        if call.when == "call":
            evidence.note(item, call, ledger, {**self.splits.read_digests(), **self._candidates()})
        report = yield
        if call.excinfo is not None:
            # What is expected to fail is not printed: nothing can be said to stand there.
            told = self.tables_told if report.failed else {}
            evidence.explain(report, ledger, self.pytest_config.get_verbosity(), told)
        return report

    def _candidates(self) -> dict[str, str]:
        return self.roles.judged if self.candidate else {}

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        """Explain a score that missed its limit; None where the comparison held."""
        if isinstance(left, Score) and isinstance(right, int | float):
            return render.missed(left, op, float(right))
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the report."""
        self.tally.add(report)
        terminal = self._terminal()
        if terminal is not None and terminal.hasmarkup:
            evidence.colour(report)

    # The end.

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the scores that were judged, and the hints."""
        verbose = self.pytest_config.get_verbosity() > 0
        for title, lines in render.summary(self.tally.passed, verbose) if self.suite else ():
            terminalreporter.write_sep("=", title)
            for line in lines:
                terminalreporter.write_line(line)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Note what somebody's hook raises here: a `pytest.exit` would leave no other trace."""
        self.began = True
        try:
            return (yield)
        except BaseException as error:
            self.tally.troubles["pytest_sessionfinish"] = f"{type(error).__name__} raised"
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self) -> Generator[None, object, object]:
        """Open or close the gate when all is over, so that every other plugin has had its say."""
        try:
            status = yield
        except BaseException:
            self._finish(1)
            raise
        return self._finish(int(status or 0))  # type: ignore[call-overload]

    def _finish(self, status: int) -> int:
        if self.errand is None or not self.began:  # --help, say
            return status
        if told := str(self.budget):
            self.say("asked", told)
        try:
            return self.errand.finish(status)
        except (OSError, KeyboardInterrupt) as error:
            self.say("gate", f"closed: {error or 'interrupted'}", good=False)
            return status or 1

    def say(self, label: str, text: str, good: bool | None = None) -> None:
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
