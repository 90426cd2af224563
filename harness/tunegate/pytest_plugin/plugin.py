"""The door to pytest: loaded at every start-up, so standard library only, and it opens nothing
unless the project has a tunegate configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.project import find_root
from ..errors import ConfigError

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add options, hooks and fixtures, where this is a project that uses them."""
    config = pluginmanager.get_plugin("pytestconfig")
    start = getattr(config, "_rootpath", None) or Path.cwd()
    try:
        arguments = config.invocation_params.args if config else ()
        root = _project_of(start, Path.cwd(), [str(arg) for arg in arguments])
    except ConfigError as error:
        import pytest

        raise pytest.UsageError(str(error)) from None
    if root is None:
        return
    from ..interfaces import hookspecs
    from . import fixtures, lookup
    from .hooks import GateSession

    _add_options(parser.getgroup("tunegate", "fine-tuning gates"))
    pluginmanager.add_hookspecs(hookspecs)
    pluginmanager.register(fixtures, "tunegate-fixtures")
    pluginmanager.register(GateSession(root), lookup.PLUGIN_NAME)


def _project_of(start: Path, cwd: Path, arguments: Sequence[str]) -> Path | None:
    """Return the project of pytest's rootdir, or the one inside of it that we stand in.

    Where a project without settings for pytest stands in another, rootdir is the outer one. It is
    meant where a suite or a folder outside of the inner one is named.
    """
    root, cwd_root = find_root(start), find_root(cwd)
    if not cwd_root or not (root is None or cwd_root.is_relative_to(root)):
        return root
    paths = [
        (cwd / arg.partition("::")[0]).resolve() for arg in arguments if not arg.startswith("-")
    ]
    named_paths = [
        path for path in paths if path.is_dir() or (path.suffix == ".py" and path.exists())
    ]
    return (
        cwd_root
        if root is None or all(path.is_relative_to(cwd_root) for path in named_paths)
        else root
    )


def _add_options(group: pytest.OptionGroup) -> None:
    for split in ("train", "validation", "test"):
        group.addoption(f"--{split}-data", metavar="FILE", help=f"the {split} split, JSONL or JSON")
    group.addoption("--train-with", metavar="TRAINER", help="train when the data suite passed")
    group.addoption("--elsewhere", action="store_true", help="open the gate, but train elsewhere")
    group.addoption("--model", metavar="MODEL", help="the candidate: latest, run:ID, a folder, ...")
    group.addoption("--promote", metavar="ALIAS", help="promote it when the model suite passed")
    group.addoption("--each-example", action="store_true", help="one test per test example, too")
    group.addoption("--max-requests", metavar="N", type=int, help="send no more requests than N")
    group.addoption("--max-cost", metavar="USD", type=float, help="spend no more on answers")
    group.addoption("--why", metavar="TEXT", default="", help="the reason, for the registry")
    group.addoption("--inventory", metavar="FILE", help="write the collected tests as JSON")
