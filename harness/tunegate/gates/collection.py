"""The inventory: every test a suite holds, whatever the command line of the session left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


class CollectionFailed(Exception):
    """The suite could not be listed; the message holds the end of what the child printed."""


@dataclass(frozen=True, slots=True)
class CollectedSuite:
    """The node ids of a suite.

    `removed` was taken out by a conftest or plugin: tests, or whole files. `skipped` is files that
    skipped themselves while they were imported, with tests that nobody can count.
    """

    tests: list[str]
    removed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


# What a caller could bend the listing with.
_UNTRUSTED_ENV = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONOPTIMIZE")


def collect_suite(suite: Path, root: Path, options: Sequence[str] = ()) -> CollectedSuite:
    """List the suite in a child `pytest --collect-only` with clean flags.

    `addopts` of the ini file is blanked too: a `-k` in there hides tests from both sides. Raises
    InventoryFailed where the suite does not collect.
    """
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "inventory.json"
        command = [
            *(sys.executable, "-m", "pytest", str(suite), "--collect-only", "-q"),
            *("-o", "addopts=", "-p", "no:cacheprovider", "-p", "tunegate"),
            *(f"--inventory={listing}", *options),
        ]
        env = {k: v for k, v in os.environ.items() if k not in _UNTRUSTED_ENV}
        child = subprocess.run(
            command, cwd=root, env=env, capture_output=True, text=True, check=False
        )
        # 5: no test collected, which is the gate's to judge.
        if child.returncode not in (0, 5) or not listing.exists():
            raise CollectionFailed(_error_line(child.stdout + child.stderr))
        return CollectedSuite(**json.loads(listing.read_text("utf-8")))


def _error_line(output: str) -> str:
    """Return the line of pytest's output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it printed nothing"])[-1].removeprefix("ERROR: ")
