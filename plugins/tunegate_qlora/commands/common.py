"""Find the run that a command is about, and report what is wrong with it in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import Timeout

from tunegate.config.project import current_project
from tunegate.errors import ConfigError
from tunegate.storage import state_dir

from ..runtime.libraries import missing_requirements, quiet_libraries


def require_packages() -> None:
    """Raise ConfigError that names the packages of this plugin that are not installed."""
    if missing := missing_requirements():
        raise ConfigError(missing)


@contextmanager
def qlora_run(name: str, *, finished: bool = False, busy: str = "") -> Iterator[state_dir.Run]:
    """Yield a run of the trainer `qlora`; the libraries are quiet inside the block.

    `name` is its id, or the beginning of it; among `finished` runs alone also `latest`. Raises
    ConfigError where a package is missing, no such run is found, or another trainer made it, and
    where the block finds a broken seal, a model that cannot be opened, or a lock that another
    process holds: `busy` is the message about that.
    """
    require_packages()
    find = state_dir.find_finished if finished else state_dir.find_started
    try:
        run = find(state_dir.StateDir(current_project()), name)
        if run.plan.trainer != "qlora":
            raise ConfigError(f"run {run.id} was trained with {run.plan.trainer}, not with qlora")
        with quiet_libraries():
            yield run
    except Timeout:
        raise ConfigError(busy) from None
