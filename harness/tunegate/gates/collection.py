"""Lists every test of a suite, whatever the command line of the session left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Environment variables that would change what the child process collects.
UNTRUSTED_ENV = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONOPTIMIZE")


class CollectionFailed(Exception):
    """The suite could not be listed; the message is the last error that pytest printed."""


@dataclass(frozen=True, slots=True)
class CollectedSuite:
    """The node ids of a suite's tests.

    `removed` holds tests that a conftest or plugin took out of the collection, `skipped` the files
    that skipped themselves while they were imported, whose tests are not known, and `untested` a
    sentence for whatever looks like a test and is none.
    """

    tests: list[str]
    removed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    untested: list[str] = field(default_factory=list)


def collect_suite(suite: Path, root: Path, options: Sequence[str] = ()) -> CollectedSuite:
    """List the tests of a suite by `pytest --collect-only` in a child process.

    The child gets none of the session's options. `addopts` of the ini file is emptied too: a `-k`
    in it would hide tests from the session and from this listing alike. Raises CollectionFailed
    where the suite cannot be collected.
    """
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "inventory.json"
        command = [
            *(sys.executable, "-m", "pytest", str(suite), "--collect-only", "-q"),
            *("-o", "addopts=", "-p", "no:cacheprovider", "-p", "tunegate"),
            *(f"--inventory={listing}", *options),
        ]
        env = {k: v for k, v in os.environ.items() if k not in UNTRUSTED_ENV}
        child = subprocess.run(
            command, cwd=root, env=env, capture_output=True, text=True, check=False
        )
        # 5 means that no test was collected: evaluate_gate reports that in its own words.
        if child.returncode in (0, 5) and listing.exists():
            return CollectedSuite(**json.loads(listing.read_text("utf-8")))
    lines = [line.strip() for line in (child.stdout + child.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    message = (errors or lines or ["it printed nothing"])[-1]
    raise CollectionFailed(message.removeprefix("ERROR: "))
