"""Records what each test function did, whatever the reports of other plugins say of it."""

from __future__ import annotations

import functools
import inspect
import os
import unittest
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

from ..session.context import SessionContext
from .loaded_modules import LoadedModules
from .mask_report import MaskedMessages

WATCHED = "_tunegate_watched"  # an attribute of a test function that is watched already
EXECUTED_KEY = "tunegate_executed"  # in what a worker of xdist sends to the controller


def watch_suite(
    session: SessionContext, config: pytest.Config, after_body: Callable[[], None]
) -> None:
    """Register the hooks that see what runs in a session of a suite, and what is loaded.

    They have no name, which `-p no:NAME` could block.
    """
    config.pluginmanager.register(ExecutedTests(session, after_body))
    config.pluginmanager.register(LoadedModules(session, config))
    config.pluginmanager.register(MaskedMessages())


class ExecutedTests:
    """The hooks that watch the test functions of a suite.

    A plugin can run a test again until it passes, catch its exception, or write its report itself:
    the reports then say "passed". `raised` and `returned` of the session's results say what
    happened. `after_body` is called when a function has returned, before pytest looks at its value.
    """

    def __init__(self, session: SessionContext, after_body: Callable[[], None]) -> None:
        self.session, self.results, self.after_body = session, session.results, after_body
        self.running = ""
        self.leave, self.process = os._exit, os.getpid()

    @contextmanager
    def recorded(self, nodeid: str) -> Iterator[None]:
        """Record whether the block raised or ended."""
        try:
            yield
        except BaseException as error:
            self.results.raised[nodeid] = type(error).__name__
            raise
        self.results.returned.add(nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Watch the function of the test."""
        self.running = item.nodeid
        self.watch(item)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch a function that is called again, and a test that is no function."""
        __tracebackhide__ = True
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
                value = function(*args, **kwargs)
            self.after_body()
            return value

        async def run_async(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            with self.recorded(item.nodeid):
                value = await function(*args, **kwargs)
            self.after_body()
            return value

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
        """Say which test ended the process, with an exit status that is not 0.

        A process that a test has forked ends as ever.
        """
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
            session.config.workeroutput[EXECUTED_KEY] = seen  # type: ignore[attr-defined]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of xdist has seen."""
        seen = getattr(node, "workeroutput", {}).get(EXECUTED_KEY, {})
        self.results.returned.update(seen.get("returned", ()))
        self.results.raised.update(seen.get("raised", {}))
        self.results.made.update(seen.get("made", {}))
