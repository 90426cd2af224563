"""The hooks that watch what tests do and load, and mask private values in what pytest shows."""

import functools
import inspect
import os
import sys
import unittest
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any, NoReturn

import pytest

from ..results.session_results import REPORT_PROPERTY
from ..session.context import Environment, SessionContext
from ..utils.masking import escape_controls, hide_values, mask

WATCHED = "_tunegate_watched"  # an attribute of a test function that is watched already
EXECUTED_KEY = "tunegate_executed"  # in what a worker of xdist sends to the controller
# What is written as a test and tests nothing: pytest passes it with one of these warnings.
NO_TEST_WARNINGS: tuple[tuple[str, type[Warning]], ...] = (
    ("", pytest.PytestReturnNotNoneWarning),
    ("", pytest.PytestUnhandledThreadExceptionWarning),
    ("coroutine .* was never awaited", RuntimeWarning),
    ("(?s).* was never awaited", pytest.PytestUnraisableExceptionWarning),
    ("It is deprecated to return a value", DeprecationWarning),  # from a test of unittest
)


def watch_suite(session: SessionContext, config: pytest.Config) -> None:
    """Register the hooks that see what runs, without names, which `-p no:NAME` could block."""
    config.pluginmanager.register(ExecutedTests(session))
    if any(config.getoption(name) for name in ("train_with", "model", "for_run")):
        config.pluginmanager.register(LoadedModules(session, config))
    config.pluginmanager.register(MaskedMessages())


def fail_what_is_no_test() -> None:
    """Turn warnings of what tests nothing into errors, whatever -W and marks say."""
    for message, category in NO_TEST_WARNINGS:
        warnings.filterwarnings("error", message, category)


class ExecutedTests:
    """The hooks that watch a suite's tests, which plugins can alter: see `raised`, `returned`."""

    def __init__(self, session: SessionContext) -> None:
        self.session, self.results = session, session.results
        self.running = ""
        self.leave, self.process = os._exit, os.getpid()

    @contextmanager
    def recorded(self, nodeid: str) -> Iterator[None]:
        """Record whether the block raised or ended, and fail what is no test."""
        try:
            yield
        except BaseException as error:
            self.results.raised[nodeid] = type(error).__name__
            raise
        self.results.returned.add(nodeid)
        fail_what_is_no_test()  # before pytest looks at the value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Make a test fail where pytest would only warn, from its fixtures on."""
        # A session without pytest's own plugin of warnings would keep the filters of each test.
        with warnings.catch_warnings():
            fail_what_is_no_test()
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Watch the function of the test."""
        self.running = item.nodeid
        self.watch(item)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch a function that is called again, and a test that is no function."""
        __tracebackhide__ = True
        fail_what_is_no_test()  # again, since a fixture may have silenced warnings
        if self.watch(item):
            return (yield)
        with self.recorded(item.nodeid):
            return (yield)

    def watch(self, item: pytest.Item) -> bool:
        """Put a function that records around that of the test; return whether it has one."""
        function: Any = getattr(item, "obj", None)
        if not isinstance(item, pytest.Function) or not callable(function):
            return False
        if hasattr(function, WATCHED):
            return True

        def run(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            with self.recorded(item.nodeid):
                return function(*args, **kwargs)

        async def run_async(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            with self.recorded(item.nodeid):
                return await function(*args, **kwargs)

        is_async = inspect.iscoroutinefunction(function)
        item.obj = functools.wraps(function)(run_async if is_async else run)
        setattr(item.obj, WATCHED, True)
        if is_async and isinstance(item.instance, unittest.TestCase):  # it looks up its own method
            setattr(item.instance, item.name, item.obj)
        return True

    # The end of the process.

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Notice a test that ends the process; of a worker's end xdist tells the controller."""
        if not hasattr(session.config, "workerinput"):
            os._exit = self.end_process

    def end_process(self, status: int) -> NoReturn:
        """Say which test ended the process, and fail; a forked process ends as ever."""
        if os.getpid() == self.process:
            with self.session.uncaptured():
                self.session.say("gate", f"closed: os._exit in {self.running}", good=False)
            status = status or 1
        self.leave(status)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send what a worker of xdist has seen to the controller."""
        os._exit = self.leave
        if hasattr(session.config, "workerinput"):
            results = self.results
            seen: dict[str, Any] = {"returned": sorted(results.returned)}
            seen |= {"raised": results.raised, "made": results.made}
            seen["modules"] = self.session.environment.files
            session.config.workeroutput[EXECUTED_KEY] = seen  # type: ignore[attr-defined]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of xdist has seen."""
        seen = getattr(node, "workeroutput", {}).get(EXECUTED_KEY, {})
        self.results.returned.update(seen.get("returned", ()))
        self.results.raised.update(seen.get("raised", {}))
        self.results.made.update(seen.get("made", {}))
        environment = self.session.environment
        environment.files = {**seen.get("modules", {}), **environment.files}


class LoadedModules:
    """The hooks that fill the environment of a session."""

    def __init__(self, session: SessionContext, config: pytest.Config) -> None:
        self.manager = config.pluginmanager
        self.number = 0  # of loaded modules when they were last looked at
        self.environment = session.environment = Environment(
            [str(argument) for argument in config.invocation_params.args],
            {dist.project_name: dist.version for _, dist in self.manager.list_plugin_distinfo()},
        )

    def note(self) -> None:
        """Digest the files of the modules and plugins that were loaded since."""
        if len(sys.modules) != self.number:
            self.number = len(sys.modules)
            self.environment.note_files(self.manager.get_plugins())

    def pytest_collection_finish(self) -> None:
        """Note what is loaded before the first test."""
        self.note()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Note what a test has loaded."""
        self.note()


class MaskedMessages:
    """Masks what pytest shows of a suite beside the reports of its tests."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Mask the traceback of a file that cannot be collected."""
        mask_report(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: object) -> None:
        """Mask the traceback of an error outside of the tests."""
        masked_representation(excrepr)

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Mask what a warning says."""
        if isinstance(warning_message.message, Warning):
            said = warning_message.message
            said.args = tuple(mask(a) if isinstance(a, str) else a for a in said.args)


def mask_report(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Mask a report, in place, except for its node id and our property, masked where it is made."""
    report.longrepr = masked_representation(report.longrepr)
    report.sections = [(title, mask_output(text)) for title, text in report.sections]
    if reason := getattr(report, "wasxfail", ""):
        report.wasxfail = mask(reason)  # type: ignore[union-attr]
    properties = getattr(report, "user_properties", [])
    properties[:] = [(k, v if k == REPORT_PROPERTY else hide_values(v)) for k, v in properties]


def masked_representation(value: Any) -> Any:
    """Return the parts of an exception's report masked, in place; a list of lines is one text."""
    if isinstance(value, str):
        return mask_output(value)
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return mask_output("\n".join(value)).split("\n")
    if isinstance(value, list | tuple):
        return type(value)(map(masked_representation, value))
    if is_dataclass(value) or hasattr(value, "toterminal"):
        for name, attribute in vars(value).items():
            setattr(value, name, masked_representation(attribute))
    return value


def mask_output(text: str) -> str:
    """Return a text masked; its colours stay, where a program or a logger wrote some."""
    if "\x1b" not in text:
        return mask(text)
    return "\x1b".join(map(mask, escape_controls(text, colours=True).split("\x1b")))
