"""Reads and extends `registry.jsonl`, the hash-chained record of promotions that users commit."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..utils.atomic import atomic_write
from ..utils.hashing import sha256_bytes
from .state_dir import StateDir

RegistryEntry = dict[str, Any]


class RegistryBroken(Exception):
    """A line of the registry was changed, removed or inserted: its hash chain does not hold."""


class NothingToRollBack(Exception):
    """The alias has no earlier promotion to go back to."""


class Registry:
    """`registry.jsonl`: each line carries the sha256 of the line before it in `previous`."""

    def __init__(self, root: Path) -> None:
        self.path = root / "registry.jsonl"
        self.state = StateDir(root)

    def entries(self) -> list[RegistryEntry]:
        """Return every line, oldest first; raises RegistryBroken naming the first bad line."""
        entries: list[RegistryEntry] = []
        previous = ""
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        for number, line in enumerate(lines, start=1):
            try:
                entry: RegistryEntry = json.loads(line)
                is_chained = entry["previous"] == previous
            except (ValueError, KeyError, TypeError):
                is_chained = False
            if not is_chained:
                raise RegistryBroken(
                    f"{self.path}, line {number}: the chain is broken here; a line was edited, "
                    f"removed or put in. Restore the file from version control"
                )
            entries.append(entry)
            previous = sha256_bytes(line)
        return entries

    def append(
        self, action: str, alias: str, facts: Mapping[str, Any], reason: str
    ) -> RegistryEntry:
        """Add one line, and return it: `facts`, action, alias, reason, who, when, and the link.

        The file is locked, checked, and replaced in one step. Raises RegistryBroken.
        """
        with FileLock(self.state.path("registry.lock")):
            self.entries()
            existing = self.path.read_bytes() if self.path.exists() else b""
            lines = existing.splitlines()
            entry: RegistryEntry = {
                **facts,
                "action": action,
                "alias": alias,
                "why": reason,
                "who": current_user(),
                "when": datetime.now(UTC).isoformat(timespec="seconds"),
                "previous": sha256_bytes(lines[-1]) if lines else "",
            }
            line = json.dumps(entry, ensure_ascii=False, sort_keys=True).encode()
            atomic_write(self.path, existing + line + b"\n", mode=0o644)
        return entry

    def current(self, alias: str) -> RegistryEntry | None:
        """Return the promotion in force of an alias; None where it has none."""
        promotions = promotions_in_force(self.entries(), alias)
        return promotions[-1] if promotions else None

    def rollback(self, alias: str, reason: str) -> RegistryEntry:
        """Add a line that points the alias to its earlier promotion; raises NothingToRollBack."""
        promotions = promotions_in_force(self.entries(), alias)
        if len(promotions) < 2:
            raise NothingToRollBack(
                f"{alias!r} has {len(promotions)} promotion in force; there is none before it"
            )
        current, earlier = promotions[-1], promotions[-2]
        names = ("run", "model", "model_digest", "trained")
        restored: RegistryEntry = {k: earlier[k] for k in names if k in earlier}
        return self.append("rollback", alias, {**restored, "from": current.get("run")}, reason)


def promotions_in_force(entries: Iterable[RegistryEntry], alias: str) -> list[RegistryEntry]:
    """Return the promotions of an alias that were not rolled back; the last one is in force."""
    promotions: list[RegistryEntry] = []
    for entry in entries:
        if entry["alias"] != alias:
            continue
        if entry["action"] == "rollback":
            promotions.pop()
        else:
            promotions.append(entry)
    return promotions


def current_user() -> str:
    """Return who acts: the user of the CI job, else the login name, else "unknown"."""
    if user := os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN"):
        return user
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
