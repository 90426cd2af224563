"""Find the run that a command is about, and report what is wrong with it in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tunegate.config.project import current_project
from tunegate.errors import ConfigError

if TYPE_CHECKING:
    from tunegate.storage.run import Run


def require_packages() -> None:
    """Raise ConfigError that names the packages of this plugin that are not installed."""
    from ..runtime.libraries import missing_requirements

    if missing := missing_requirements():
        raise ConfigError(missing)


@contextmanager
def qlora_run(name: str, *, finished: bool = False, busy: str = "") -> Iterator[Run]:
    """Yield a run of the trainer `qlora`, and turn the errors of the block into ConfigError.

    Inside the block the libraries are quiet.

    Args:
        name: Its id, or the beginning of it; also `latest` where `finished`.
        finished: Look among the finished runs alone.
        busy: The message where another process holds a lock that the block asks for.

    Raises:
        ConfigError: A package is missing, no such run is found, or another trainer made it; or,
            inside the block, a seal is broken, a model cannot be opened, or a lock is held.
    """
    from filelock import Timeout

    from tunegate.interfaces.model import ModelUnknown
    from tunegate.storage.run import RunNotFound, find_finished, find_started
    from tunegate.storage.seal import SealBroken
    from tunegate.storage.state_dir import StateDir

    from ..runtime.libraries import quiet_libraries

    require_packages()
    state, find = StateDir(current_project()), find_finished if finished else find_started
    try:
        run = find(state, name.removeprefix("run:"))
        if run.plan.trainer != "qlora":
            raise ConfigError(f"run {run.id} was trained with {run.plan.trainer}, not with qlora")
        with quiet_libraries():
            yield run
    except (RunNotFound, SealBroken, ModelUnknown) as error:
        raise ConfigError(str(error)) from None
    except Timeout:
        raise ConfigError(busy) from None
