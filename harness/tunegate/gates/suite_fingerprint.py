"""The receipt: what an open gate leaves behind, so that a later reader sees what was judged."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

from ..checking import accepted
from ..utils.hashing import sha256_file

# Any of these can say what pytest takes for a test.
PYTEST_FILES = (
    *("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"),
    *("pyproject.toml", "tox.ini", "setup.cfg"),
)


def suite_fingerprint(suite: Path, root: Path) -> dict[str, str]:
    """Digest what decides what a suite says: its files, the conftests above it, the configuration,
    the findings that are accepted, and what people reviewed.

    Keys are paths relative to `root`, values sha256.
    """
    parents = [folder for folder in suite.parents if folder == root or root in folder.parents]
    suite_files = [p for p in suite.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    other_files = [folder / "conftest.py" for folder in parents]
    other_files += [
        root / name for name in ("tunegate.toml", accepted.ACCEPTED_FILE, *PYTEST_FILES)
    ]
    other_files += (root / "reviews").glob("*.csv")
    files = sorted({*suite_files, *(p for p in other_files if p.is_file())})
    return {p.relative_to(root).as_posix(): sha256_file(p) for p in files}


def installed_versions(*names: str) -> dict[str, str]:
    """Return the versions of Python and of the distributions that are installed among these."""
    installed = {"python": platform.python_version()}
    for name in ("tunegate", "pytest", "pandas", "rapidfuzz", *names):
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed
