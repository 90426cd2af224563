"""What one pytest session of a project knows and has opened, without a hook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..checking.last_findings import LastFindings
from ..config.data_files import DataFiles
from ..interfaces.model import Budget
from ..results.session_results import SessionResults
from ..storage.state_dir import StateDir

if TYPE_CHECKING:
    import pytest

    from ..config.schema import Config
    from ..interfaces.installed import Installed
    from ..models.spec import Candidate
    from ..results.acceptance import AcceptedEntry
    from ..utils.progress import Progress
    from .open_models import SessionModels

DEFAULT_ALIAS = "production"  # whose model is the incumbent, where --promote names no other


class PrintLine(Protocol):
    """Prints one line of what tunegate decided, with a label before it."""

    def __call__(self, label: str, text: str, good: bool | None = None) -> None: ...


class SessionContext:
    """What a session knows: given by pytest's hooks, read by fixtures and gates.

    `rootdir` is pytest's, which node ids are relative to. `splits`, `suite`, `candidate`, `alias`
    and `budget` say what the command line chose. `results` is what became of the tests, `accepted`
    the accepted findings by id, `seen` what the data suite found. What costs time (the validated
    configuration, plugins, models) is made when it is first asked for.
    """

    def __init__(
        self, root: Path, rootdir: Path, plugin_manager: pytest.PytestPluginManager, say: PrintLine
    ) -> None:
        self.root, self.rootdir, self.state = root, rootdir, StateDir(root)
        self.plugin_manager, self.say = plugin_manager, say
        self.splits = DataFiles({})
        self.suite: Path | None = None
        self.candidate: Candidate | None = None
        self.alias, self.budget = DEFAULT_ALIAS, Budget()
        self.results = SessionResults()
        self.accepted: dict[str, AcceptedEntry] = {}
        self.seen = LastFindings()

    @cached_property
    def config(self) -> Config:
        """The configuration, validated; raises ConfigError."""
        from ..config.schema import load

        return load(self.root)

    @cached_property
    def plugins(self) -> Installed:
        """The trainers and models that are installed or that a conftest registers."""
        from ..interfaces.installed import load_installed

        return load_installed(self.plugin_manager)

    @cached_property
    def models(self) -> SessionModels:
        """The models of the session, by role; raises ConfigError."""
        from .open_models import SessionModels

        return SessionModels(
            self.root, self.config, self.candidate, self.alias,
            self.plugins.openers, self.budget, self.state, self.progress,
        )  # fmt: skip

    @contextmanager
    def progress(self, description: str) -> Iterator[Progress]:
        """Show a bar with what was spent, where pytest captures what is printed too."""
        from ..utils import progress as console

        capture = self.plugin_manager.get_plugin("capturemanager")
        uncaptured = capture.global_and_fixture_disabled() if capture else nullcontext()
        with uncaptured, console.progress_bar(description, lambda: self.budget.spent) as progress:
            yield progress
