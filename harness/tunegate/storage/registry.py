"""The registry of promotions: append-only, hash-chained lines that the user commits."""

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
    """A line of the registry was changed, removed or put in: the chain does not hold."""


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
        for number, (line, previous) in enumerate(self._lines_with_previous(), start=1):
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
        return entries

    def _lines_with_previous(self) -> list[tuple[bytes, str]]:
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        return list(zip(lines, ["", *map(sha256_bytes, lines)], strict=False))

    def append(
        self, action: str, alias: str, facts: Mapping[str, Any], reason: str
    ) -> RegistryEntry:
        """Add one line; the file is locked, and replaced whole."""
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
        """Return the promotion that the alias stands on now."""
        stack = self._promotions(alias)
        return stack[-1] if stack else None

    def rollback(self, alias: str, reason: str) -> RegistryEntry:
        """Point the alias back to the promotion before; raises NothingToRollBack."""
        stack = self._promotions(alias)
        if len(stack) < 2:
            raise NothingToRollBack(
                f"{alias!r} has {len(stack)} promotion in force; there is none before it"
            )
        names = ("run", "model", "model_digest", "trained")
        restored: RegistryEntry = {k: stack[-2][k] for k in names if k in stack[-2]}
        return self.append("rollback", alias, {**restored, "from": stack[-1].get("run")}, reason)

    def _promotions(self, alias: str) -> list[RegistryEntry]:
        return promotions_in_force(self.entries(), alias)


def promotions_in_force(entries: Iterable[RegistryEntry], alias: str) -> list[RegistryEntry]:
    """Return the promotions of an alias that were not rolled back; it stands on the last one."""
    stack: list[RegistryEntry] = []
    for entry in entries:
        if entry["alias"] != alias:
            continue
        if entry["action"] == "rollback":
            stack.pop()
        else:
            stack.append(entry)
    return stack


def current_user() -> str:
    """Return who acts: the CI's actor, else the user's login name."""
    return os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN") or _login_name()


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
