"""What one pytest session knows without a hook: options, data, results, models, who took part."""

import os
import platform
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checking.accepted import LastFindings
from ..errors import ConfigError
from ..interfaces.model import Budget
from ..results.outcome import AcceptedEntry
from ..results.session_results import SessionResults
from ..storage.state_dir import StateDir
from ..utils.files import sha256_file
from ..utils.masking import mask
from ..utils.progress import Progress, progress_bar

if TYPE_CHECKING:
    import pytest

    from ..config.data_files import DataFiles
    from ..config.schema import Config
    from ..interfaces.installed import Installed
    from ..models.spec import Candidate
    from .open_models import SessionModels

DEFAULT_ALIAS = "production"  # its model is the incumbent unless --promote names another alias
# Environment variables that change what pytest runs and which modules it finds.
VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONPATH")
PACKAGES = ("site-packages", "dist-packages")  # folders of installed distributions


class SessionContext:
    """What a session knows: pytest's hooks fill it, fixtures and gates read it.

    The configuration, the plugins and the models cost time: each is loaded when first asked for.
    `root` holds the project's configuration; node ids are relative to pytest's own, `rootdir`.
    """

    def __init__(
        self, root: Path, rootdir: Path, plugin_manager: "pytest.PytestPluginManager",
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
        self.traffic = ""  # what the rows of the shadow suite are

    @cached_property
    def splits(self) -> "DataFiles":
        """The data files of the session; none until `pytest_configure` has looked for them."""
        from ..config.data_files import DataFiles

        return DataFiles({})

    @cached_property
    def config(self) -> "Config":
        """The configuration, validated when first asked for; raises ConfigError."""
        from ..config.schema import load

        return load(self.root)

    @cached_property
    def plugins(self) -> "Installed":
        """The trainers and models that are installed or that a conftest registers."""
        from ..interfaces.installed import load_installed

        return load_installed(self.plugin_manager)

    @cached_property
    def models(self) -> "SessionModels":
        """The models of the session, by role; raises ConfigError."""
        from .open_models import SessionModels

        return SessionModels(
            self.root, self.config, self.candidate, self.alias,
            self.plugins.openers, self.budget, self.state, self.progress, self.limit, self.repeat,
        )  # fmt: skip

    @property
    def is_shadow(self) -> bool:
        """Whether this is a session of `suites/shadow`, whose test rows are logged requests."""
        return self.suite is not None and self.suite.name == "shadow"

    def take_traffic(self, given: str | None) -> str:
        """Return the snapshot of `[shadow] log`, masked, or the `given` one; raises ConfigError."""
        from ..data.traffic import read_traffic

        if given is None:
            settings = self.config.shadow
            data, self.traffic = read_traffic(self.root, settings.log, settings.rows)
            given = str(self.state.store_snapshot(data))
        elif Path(given).parent != self.state.snapshot_path("").parent:
            raise ConfigError(f"--test-data {given}: suites/shadow replays the log of [shadow]")
        return given

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
        if self.is_shadow:
            return self.config.ask or "sequential"
        bounds = self.budget.requests, self.budget.cost
        return self.config.ask or ("all" if bounds == (None, None) else "certain")

    @property
    def asked(self) -> dict[str, Any]:
        """What a scorecard says of the rows that are asked; {} for all. Raises ConfigError."""
        asked: dict[str, Any] = {"traffic": self.traffic} if self.traffic else {}
        asked |= self.models.stopped if self.candidate else {}
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
        with self.uncaptured(), progress_bar(description, lambda: self.budget.spent) as progress:
            yield progress


@dataclass
class Environment:
    """What can have changed a verdict without being part of the suite."""

    command: list[str] = field(default_factory=list)  # the arguments of pytest
    plugins: dict[str, str] = field(default_factory=dict)  # versions of installed distributions
    # The digest of each module outside of these, when it was first seen, by path; "" if unreadable.
    files: dict[str, str] = field(default_factory=dict)

    def note_files(self, plugins: Iterable[object]) -> None:
        """Digest what was not seen before of modules and plugins outside of installed packages."""
        standard = tuple(f"{sysconfig.get_path(s)}{os.sep}" for s in ("stdlib", "platstdlib"))
        for module in [*sys.modules.values(), *plugins]:
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and os.path.isabs(path) and path not in self.files:
                installed = any(f"{os.sep}{name}{os.sep}" in path for name in PACKAGES)
                if not installed and not path.startswith(standard):
                    self.files[path] = file_digest(path)

    def changed_files(self) -> list[str]:
        """Return the files that have other bytes now than when they were loaded."""
        return [path for path, digest in self.files.items() if file_digest(path) != digest]

    def to_dict(self, root: Path) -> dict[str, Any]:
        """Return the environment as builtins, masked; paths below `root` are relative to it."""
        variables = {name: mask(os.environ[name]) for name in VARIABLES if os.environ.get(name)}
        modules = {relative(path, root): digest for path, digest in self.files.items()}
        system = {"platform": platform.platform(), "modules": modules, "plugins": self.plugins}
        return {"command": [*map(mask, self.command)], "variables": variables, **system}

    def outsiders(self, root: Path, suite_files: Mapping[str, str]) -> list[str]:
        """Return the loaded files that are neither tunegate's nor among those of the suite."""
        own = Path(__file__).parents[1]
        distribution = own.parents[1] if own.parent.name == "harness" else own
        loaded = [p for p in sorted(self.files) if not Path(p).is_relative_to(distribution)]
        return [name for path in loaded if (name := relative(path, root)) not in suite_files]


def file_digest(path: str) -> str:
    """Return the sha256 of a file; "" where it cannot be read."""
    try:
        return sha256_file(path)
    except OSError:
        return ""


def relative(path: str, root: Path) -> str:
    """Return a path relative to `root` where it lies below it."""
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path
