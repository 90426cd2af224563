"""Notes which plugins and module files a session of a suite has loaded."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ..session.context import SessionContext
from ..session.environment import Environment

MODULES_KEY = "tunegate_modules"  # in what a worker of xdist sends to the controller


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

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send what a worker of xdist has loaded to the controller."""
        if hasattr(session.config, "workerinput"):
            session.config.workeroutput[MODULES_KEY] = self.environment.files  # type: ignore[attr-defined]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of xdist has loaded."""
        loaded: dict[str, str] = getattr(node, "workeroutput", {}).get(MODULES_KEY, {})
        self.environment.files = {**loaded, **self.environment.files}
