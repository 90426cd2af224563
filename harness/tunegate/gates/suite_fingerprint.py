"""Digests the files that decide what a suite checks, and lists the versions it ran with."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from ..checking.accepted import ACCEPTED_FILE
from ..utils.hashing import sha256_file

# Each of these can configure which functions pytest takes for tests.
PYTEST_FILES = (
    *("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"),
    *("pyproject.toml", "tox.ini", "setup.cfg"),
)


def suite_fingerprint(suite: Path, root: Path) -> dict[str, str]:
    """Return the sha256 of each file that decides what a suite checks, by its path below `root`.

    These are the suite's own files, the conftests above it, the configuration of tunegate and of
    pytest, the accepted findings, and the sheets of reviews.
    """
    parents = [folder for folder in suite.parents if folder == root or root in folder.parents]
    other_files = [folder / "conftest.py" for folder in parents]
    other_files += [root / name for name in ("tunegate.toml", ACCEPTED_FILE, *PYTEST_FILES)]
    other_files += (root / "reviews").glob("*.csv")
    files = sorted({*suite_files(suite), *(p for p in other_files if p.is_file())})
    return {p.relative_to(root).as_posix(): sha256_file(p) for p in files}


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
    """Return the versions of Python, of the core's distributions and of those named, by name.

    A distribution that is not installed is left out.
    """
    installed = {"python": platform.python_version()}
    for name in ("tunegate", "pytest", "pandas", "rapidfuzz", *names):
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed
