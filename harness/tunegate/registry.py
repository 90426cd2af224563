"""The registry of promotions: append-only, hash-chained lines that the user commits."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from .files import write_whole
from .state import State

Entry = dict[str, Any]


class RegistryBroken(Exception):
    """A line of the registry was changed, removed or put in: the chain does not hold."""


class NothingToRollBack(Exception):
    """The alias has no earlier promotion to go back to."""


class Registry:
    """`registry.jsonl`: each line carries the sha256 of the line before it in `previous`."""

    def __init__(self, root: Path) -> None:
        self.path = root / "registry.jsonl"
        self.state = State(root)

    def entries(self) -> list[Entry]:
        """Return every line, oldest first; raises RegistryBroken naming the first bad line."""
        entries: list[Entry] = []
        for number, (line, previous) in enumerate(self._chained(), start=1):
            try:
                entry: Entry = json.loads(line)
                holds = entry["previous"] == previous
            except (ValueError, KeyError, TypeError):
                holds = False
            if not holds:
                raise RegistryBroken(
                    f"{self.path}, line {number}: the chain is broken here; a line was edited, "
                    f"removed or put in. Restore the file from version control"
                )
            entries.append(entry)
        return entries

    def _chained(self) -> list[tuple[bytes, str]]:
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        return list(zip(lines, ["", *map(_sha, lines)], strict=False))

    def append(self, action: str, alias: str, facts: Mapping[str, Any], why: str) -> Entry:
        """Add one line; the file is locked, and replaced whole."""
        with FileLock(self.state.path("registry.lock")):
            self.entries()
            old = self.path.read_bytes() if self.path.exists() else b""
            lines = old.splitlines()
            entry: Entry = {
                **facts,
                "action": action,
                "alias": alias,
                "why": why,
                "who": who(),
                "when": datetime.now(UTC).isoformat(timespec="seconds"),
                "previous": _sha(lines[-1]) if lines else "",
            }
            line = json.dumps(entry, ensure_ascii=False, sort_keys=True).encode()
            write_whole(self.path, old + line + b"\n", mode=0o644)
        return entry

    def current(self, alias: str) -> Entry | None:
        """Return the promotion that the alias stands on now."""
        stack = self._stack(alias)
        return stack[-1] if stack else None

    def rollback(self, alias: str, why: str) -> Entry:
        """Point the alias back to the promotion before; raises NothingToRollBack."""
        stack = self._stack(alias)
        if len(stack) < 2:
            raise NothingToRollBack(
                f"{alias!r} has {len(stack)} promotion in force; there is none before it"
            )
        names = ("run", "model", "model_digest", "trained")
        keep: Entry = {k: stack[-2][k] for k in names if k in stack[-2]}
        return self.append("rollback", alias, {**keep, "from": stack[-1].get("run")}, why)

    def _stack(self, alias: str) -> list[Entry]:
        return standing(self.entries(), alias)


def standing(entries: Iterable[Entry], alias: str) -> list[Entry]:
    """Return the promotions of an alias that were not rolled back; it stands on the last one."""
    stack: list[Entry] = []
    for entry in entries:
        if entry["alias"] != alias:
            continue
        if entry["action"] == "rollback":
            stack.pop()
        else:
            stack.append(entry)
    return stack


def who() -> str:
    """Return who acts: the CI's actor, else the user's login name."""
    return os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN") or _login()


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _sha(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
