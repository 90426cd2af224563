"""The entry point of pytest's plugin system. It is imported at every start of pytest, so it uses
the standard library only and does nothing unless the project has a tunegate configuration.
"""

from collections.abc import Sequence
from os.path import exists, isdir
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.project import USUAL_SUITES, find_root
from ..errors import ConfigError

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: "pytest.Parser", pluginmanager: "pytest.PytestPluginManager") -> None:
    """Add options, hooks and fixtures where the project has a tunegate configuration."""
    config = pluginmanager.get_plugin("pytestconfig")
    rootdir = getattr(config, "_rootpath", None) or Path.cwd()
    try:
        arguments = config.invocation_params.args if config else ()
        root = choose_project(rootdir, Path.cwd(), [str(arg) for arg in arguments])
    except ConfigError as error:
        import pytest

        raise pytest.UsageError(str(error)) from None
    if root is None:
        pluginmanager.register(SuitesBelow(), "tunegate-suites-below")
        return
    from .. import interfaces
    from ..utils.timestamps import parse_age
    from . import fixtures
    from .hooks import GateSession

    add = parser.getgroup("tunegate", "fine-tuning gates").addoption
    for split in ("train", "validation", "test"):
        add(f"--{split}-data", metavar="FILE", help=f"the {split} split, JSONL or JSON")
    add("--train-with", metavar="TRAINER", help="train when the data suite passed")
    add("--probe", action="store_true", help="train on parts of the rows: would more help?")
    add("--for", metavar="RUN", dest="for_run", help="let a new test set judge a run")
    add("--elsewhere", action="store_true", help="open the gate, but train elsewhere")
    add("--model", metavar="MODEL", help="the candidate: latest, run:ID, a folder, ...")
    add("--promote", metavar="ALIAS", help="promote it when the model suite passed")
    add("--limit", metavar="N", type=int, help="ask N of the test rows, drawn at random")
    add("--repeat", metavar="K", type=int, help="ask each test row K times")
    add("--each-example", action="store_true", help="one test per test example, too")
    add("--max-requests", metavar="N", type=int, help="send no more requests than N")
    add("--max-cost", metavar="USD", type=float, help="spend no more on answers")
    add("--fresh", action="store_true", help="ask again what the cache has answers to")
    add("--max-answer-age", metavar="AGE", type=parse_age, help="ask again what is older: 7d, 12h")
    add("--why", metavar="TEXT", default="", help="the reason, for the registry")
    add("--inventory", metavar="FILE", help="write the collected tests as JSON")
    pluginmanager.add_hookspecs(interfaces)
    pluginmanager.register(fixtures, "tunegate-fixtures")
    pluginmanager.register(GateSession(root), "tunegate-session")


def choose_project(rootdir: Path, cwd: Path, arguments: Sequence[str]) -> Path | None:
    """Return the project of the files and folders that are named, else of pytest's rootdir.

    Where a project without pytest settings lies inside another project, rootdir is the outer one.
    The inner project is chosen unless an argument names a file or folder outside of it. Raises
    ConfigError where a suite is named that belongs to no project, or --train-with is given there.
    """
    root, cwd_root = find_root(rootdir), find_root(cwd)
    paths = [(cwd / arg.partition("::")[0]).resolve() for arg in arguments if arg[:1] != "-"]
    # By os.path: a long `-k` is no path, which Path.is_dir raises for.
    named = [path for path in paths if isdir(path) or (path.suffix == ".py" and exists(path))]
    folders = {path if isdir(path) else path.parent for path in named}
    projects = {find_root(folder) for folder in folders}
    if len(projects) == 1 and (only := projects.pop()) and (not root or only.is_relative_to(root)):
        return only
    suites = [folder for folder in folders if looks_like_suite(folder)]
    trains = any(arg.partition("=")[0] == "--train-with" for arg in arguments)
    if root is None and cwd_root is None and (suites or trains):
        place, lacking = suites[0] if suites else cwd, "no tunegate.toml or [tool.tunegate]"
        advice = "name a suite of a project, or run `tunegate init`, which makes one"
        raise ConfigError(f"{place}: {lacking} here or above; {advice}")
    if not cwd_root or not (root is None or cwd_root.is_relative_to(root)):
        return root
    if root is None or all(path.is_relative_to(cwd_root) for path in named):
        return cwd_root
    return root


def looks_like_suite(folder: Path) -> bool:
    """Return whether a folder has the usual place of a suite, and a file that imports tunegate."""
    inside = any(f"/{usual}/" in f"{folder.as_posix()}/" for usual in USUAL_SUITES)
    files = folder.glob("*.py") if inside else ()
    return any("import tunegate" in text or "from tunegate" in text
               for text in (file.read_text("utf-8", "replace") for file in files))  # fmt: skip


class SuitesBelow:
    """Keeps a bare `pytest` above all projects out of the suites of those below."""

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out a suite of a project; it runs where it is named."""
        usual = "/".join(collection_path.parts[-2:]) in USUAL_SUITES
        return True if usual and find_root(collection_path) else None
