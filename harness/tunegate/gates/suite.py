"""The suite of a gate: digests of the files that decide what it checks; its tests, listed anew."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ..checking.accepted import ACCEPTED_FILE
from ..utils.hashing import sha256_file

if TYPE_CHECKING:
    from ..config.schema import Config

# Each of these can configure which functions pytest takes for tests.
PYTEST_FILES = (
    *("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"),
    *("pyproject.toml", "tox.ini", "setup.cfg"),
)
# Environment variables that would change what the child process collects.
UNTRUSTED_ENV = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONOPTIMIZE")


def suite_fingerprint(suite: Path, root: Path, config: "Config") -> dict[str, str]:
    """Return the sha256 of each file that decides what a suite checks, by its path below `root`.

    These are also those of the schema and of the programs that the configuration names.
    """
    parents = [folder for folder in suite.parents if folder == root or root in folder.parents]
    other_files = [folder / "conftest.py" for folder in parents]
    other_files += [root / name for name in ("tunegate.toml", ACCEPTED_FILE, *PYTEST_FILES)]
    other_files += (root / "reviews").glob("*.csv")
    if spec := config.data.row_schema:
        other_files.append(root / spec.rpartition(":")[0])
    for name, table in config.checks.items():
        other_files += table.program(name, root).source_files()
    files = sorted({*suite_files(suite), *(p for p in other_files if p.is_file())})
    names = [path.relative_to(root) if path.is_relative_to(root) else path for path in files]
    return {name.as_posix(): sha256_file(file) for name, file in zip(names, files, strict=True)}


def suite_files(suite: Path) -> Iterator[Path]:
    """Yield the files of a suite; links to folders are followed, as pytest does, each once."""
    seen: set[str] = set()
    for folder, subfolders, names in os.walk(suite, followlinks=True):
        subfolders[:] = [name for name in subfolders if name != "__pycache__"]
        if (real := os.path.realpath(folder)) in seen:
            subfolders.clear()
            continue
        seen.add(real)
        yield from (path for name in names if (path := Path(folder, name)).is_file())


def installed_versions(*names: str) -> dict[str, str]:
    """Return the versions of Python, the core's distributions and those named, if installed."""
    installed = {"python": platform.python_version()}
    for name in ("tunegate", "pytest", "pandas", "rapidfuzz", *names):
        with suppress(metadata.PackageNotFoundError):
            installed[name] = metadata.version(name)
    return installed


class CollectionFailed(Exception):
    """The suite could not be listed; the message is the last error that pytest printed."""


@dataclass(frozen=True, slots=True)
class CollectedSuite:
    """The node ids of a suite's tests."""

    tests: list[str]
    removed: list[str] = field(default_factory=list)  # those that a conftest or plugin took out
    skipped: list[str] = field(default_factory=list)  # files that skipped themselves, unknown tests
    untested: list[str] = field(default_factory=list)  # sentences on what seems a test, and is none


def collect_suite(suite: Path, root: Path, options: Sequence[str] = ()) -> CollectedSuite:
    """List the tests of a suite by `pytest --collect-only` in a child process.

    It gets neither the session's options nor `addopts` of the ini file: a `-k` there would hide
    tests from the session and from this listing alike. Raises CollectionFailed.
    """
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "inventory.json"
        command = [
            *(sys.executable, "-m", "pytest", str(suite), "--collect-only", "-q"),
            *("-o", "addopts=", "-p", "no:cacheprovider", "-p", "tunegate"),
            *(f"--inventory={listing}", *options),
        ]
        env = {k: v for k, v in os.environ.items() if k not in UNTRUSTED_ENV}
        child = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
        # 5 means that no test was collected: `Gate.evaluate` reports that in its own words.
        if child.returncode in (0, 5) and listing.exists():
            return CollectedSuite(**json.loads(listing.read_text("utf-8")))
    lines = [line.strip() for line in (child.stdout + child.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    message = (errors or lines or ["it printed nothing"])[-1]
    raise CollectionFailed(message.removeprefix("ERROR: "))
