"""The inventory: every test a suite holds, whatever the command line of the session left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class InventoryFailed(Exception):
    """The suite could not be listed; the message holds the end of what the child printed."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The node ids of a suite; `removed` were collected, then taken out by a conftest or plugin."""

    tests: list[str]
    removed: list[str]


# What a caller could bend the listing with.
_BENDERS = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONOPTIMIZE")


def take(suite: Path, root: Path, options: Sequence[str] = ()) -> Inventory:
    """List the suite in a child `pytest --collect-only` with clean flags.

    `addopts` of the ini file is blanked too: a `-k` in there hides tests from both sides. Raises
    InventoryFailed where the suite does not collect.
    """
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "inventory.json"
        command = [
            *(sys.executable, "-m", "pytest", str(suite), "--collect-only", "-q"),
            *("-o", "addopts=", "-p", "no:cacheprovider", f"--inventory={listing}", *options),
        ]
        env = {k: v for k, v in os.environ.items() if k not in _BENDERS}
        child = subprocess.run(
            command, cwd=root, env=env, capture_output=True, text=True, check=False
        )
        # 5: no test collected, which is the gate's to judge.
        if child.returncode not in (0, 5) or not listing.exists():
            raise InventoryFailed((child.stdout + child.stderr).strip()[-2000:])
        return Inventory(**json.loads(listing.read_text("utf-8")))
