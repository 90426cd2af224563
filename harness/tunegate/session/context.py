"""What one pytest session knows: options, data, results, plugins and models, without any hook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checking.accepted import LastFindings
from ..errors import ConfigError
from ..interfaces.model import Budget
from ..results.session_results import SessionResults
from ..storage.state_dir import StateDir
from .environment import Environment

if TYPE_CHECKING:
    import pytest

    from ..config.data_files import DataFiles
    from ..config.schema import Config
    from ..interfaces.installed import Installed
    from ..models.spec import Candidate
    from ..results.acceptance import AcceptedEntry
    from ..utils.progress import Progress
    from .open_models import SessionModels

DEFAULT_ALIAS = "production"  # its model is the incumbent unless --promote names another alias


class SessionContext:
    """What a session knows: pytest's hooks fill it, fixtures and gates read it.

    The configuration, the plugins and the models cost time: each is loaded when first asked for.
    `root` holds the project's configuration; node ids are relative to pytest's own, `rootdir`.
    """

    def __init__(
        self, root: Path, rootdir: Path, plugin_manager: pytest.PytestPluginManager,
        say: Callable[..., None],
    ) -> None:  # fmt: skip
        self.root, self.rootdir, self.state = root, rootdir, StateDir(root)
        self.plugin_manager, self.say = plugin_manager, say
        self.suite: Path | None = None
        self.candidate: Candidate | None = None
        self.alias, self.budget = DEFAULT_ALIAS, Budget()
        self.results = SessionResults()
        self.accepted: dict[str, AcceptedEntry] = {}  # by id
        self.seen = LastFindings()  # of this session
        self.environment, self.import_mode = Environment(), "prepend"
        self.limit, self.repeat = 0, 1  # test rows that are asked, 0 for all; how often each is

    @cached_property
    def splits(self) -> DataFiles:
        """The data files of the session; none until `pytest_configure` has looked for them."""
        from ..config.data_files import DataFiles

        return DataFiles({})

    @cached_property
    def config(self) -> Config:
        """The configuration, validated when first asked for; raises ConfigError."""
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
            self.plugins.openers, self.budget, self.state, self.progress, self.limit, self.repeat,
        )  # fmt: skip

    def choose_rows(self, limit: int | None, repeat: int | None) -> None:
        """Set how many test rows are asked, and how often; raises ConfigError."""
        for option, number in (("--limit", limit), ("--repeat", repeat)):
            if number is not None and (number < 1 or self.candidate is None):
                raise ConfigError(f"{option} {number}: needs a number from 1 on, and --model")
        self.limit, self.repeat = limit or 0, repeat or 1

    @property
    def ask(self) -> str:
        """When the candidate is asked no more: `ask`, by default "certain" with a budget."""
        if self.limit or self.repeat > 1:
            return "all"
        bounds = self.budget.requests, self.budget.cost
        return self.config.ask or ("all" if bounds == (None, None) else "certain")

    @property
    def asked(self) -> dict[str, dict[str, Any]]:
        """What a scorecard says of the rows that are asked; {} for all. Raises ConfigError."""
        asked: dict[str, dict[str, Any]] = {**self.models.stopped} if self.candidate else {}
        if self.limit:
            n = len(self.splits.get("test"))
            asked["limit"] = {"rows": min(self.limit, n), "of": n}
        if self.repeat > 1:
            temperature = getattr(self.models.model("candidate"), "temperature", None)
            asked["repeat"] = {"times": self.repeat, "temperature": temperature}
        return asked

    def uncaptured(self) -> AbstractContextManager[None]:
        """Let what the block prints past pytest's capture of the output."""
        capture = self.plugin_manager.get_plugin("capturemanager")
        return capture.global_and_fixture_disabled() if capture else nullcontext()

    @contextmanager
    def progress(self, description: str) -> Iterator[Progress]:
        """Show a progress bar with the money spent, around pytest's capture of the output."""
        from ..utils.progress import progress_bar

        with self.uncaptured(), progress_bar(description, lambda: self.budget.spent) as progress:
            yield progress
