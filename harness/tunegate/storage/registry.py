"""Reads and extends `registry.jsonl`, the hash-chained record of promotions that users commit."""

import getpass
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..errors import ConfigError
from ..utils.atomic import atomic_write
from ..utils.masking import find_private
from ..utils.timestamps import timestamp
from . import registry_chain as chain
from .registry_chain import RegistryBroken, RegistryEntry, promotions_in_force
from .seal import sign
from .state_dir import StateDir

__all__ = ["Registry", "RegistryBroken", "RegistryEntry", "promotions_in_force"]

ALIAS = re.compile(r"[._-]*[A-Za-z0-9][A-Za-z0-9._-]*")
MODEL_KEYS = ("run", "model", "model_digest", "trained")
CHAIN_KEYS = (*MODEL_KEYS, "receipt", "scorecard", "test")


class NothingToRollBack(ConfigError):
    """The alias has no earlier promotion to go back to."""


class AliasMoved(ConfigError):
    """The alias was moved by somebody else since the caller looked at it."""


def checked_alias(name: str) -> str:
    """Return an alias that may be given to a model; raises ConfigError for another name."""
    if not ALIAS.fullmatch(name):
        valid = "ASCII letters, digits, '.', '_' and '-', at least one letter or digit"
        raise ConfigError(f"no alias: {name!r}; an alias has {valid}, as in `production`")
    return name


def checked_reason(reason: str) -> str:
    """Return a reason on one line; raises ConfigError where it holds personal data or a key."""
    text = " ".join(reason.split())
    for private in find_private(text):
        place = f"from character {private.start + 1} on"
        message = f"--why holds what looks like {private.kind}, {place}"
        raise ConfigError(f"{message}: a reason is committed; say it without")
    return text


class Registry:
    """`registry.jsonl`: each line carries the sha256 of the line before it in `previous`.

    What a line says is decided and written inside one lock. `path` is another file of this format.
    """

    def __init__(self, root: Path, path: Path | None = None) -> None:
        self.path = path or root / "registry.jsonl"
        self.state = StateDir(root)

    def history(self) -> chain.History:
        """Return where each alias stands after each line; raises RegistryBroken for a bad one."""
        return chain.read_history(chain.numbered_lines(self.path))

    def entries(self) -> list[RegistryEntry]:
        """Return every line, oldest first; raises RegistryBroken naming the first bad line."""
        return [*self.history().entries]

    def _lock(self) -> FileLock:
        return FileLock(self.state.path("registry.lock"))

    def append(
        self, action: str, alias: str, facts: Mapping[str, Any], reason: str
    ) -> RegistryEntry:
        """Add one line and return it, while the file is locked; raises RegistryBroken."""
        with self._lock():
            return self._add(self.entries(), facts, action=action, alias=alias, why=reason)

    def _add(
        self, entries: Sequence[RegistryEntry], facts: Mapping[str, Any], **decision: str
    ) -> RegistryEntry:
        """Add a line to the file, which holds these entries; the lock is held."""
        existing = self.path.read_bytes() if self.path.exists() else b""
        if existing and not existing.endswith((b"\n", b"\r")):
            existing += b"\n"  # an editor took the last line end away
        line = self._line(facts, previous=entries[-1].digest if entries else "", **decision)
        atomic_write(self.path, existing + line + b"\n", mode=0o644)
        return RegistryEntry.read(line)

    def _line(self, facts: Mapping[str, Any], **decision: str) -> bytes:
        """Return the line of an entry that is made now, signed by the state tree."""
        made = {"who": current_user(), "when": timestamp("seconds")}
        entry = {k: v for k, v in {**facts, **decision, **made}.items() if k != "seal"}
        return json.dumps(sign(entry, self.state), ensure_ascii=False, sort_keys=True).encode()

    def current(self, alias: str) -> RegistryEntry | None:
        """Return the promotion in force of an alias; None where it has none."""
        return self.history().standing(alias).entry

    def promote(
        self, alias: str, facts: Mapping[str, Any], reason: str, seen: RegistryEntry | None
    ) -> RegistryEntry | None:
        """Add a promotion, and return it; None where this model is in force already.

        `facts` is what the line says of model, run, receipt and scorecard; `seen` is the promotion
        that the candidate was compared with. Raises AliasMoved where another one is in force now,
        ConfigError for an alias that is none, RegistryBroken.
        """
        checked_alias(alias)
        with self._lock():
            history = self.history()
            standing = history.standing(alias)
            current = standing.entry
            is_in_force = current and current.get("model_digest") == facts["model_digest"]
            if is_in_force and not standing.contenders:
                return None
            if (current and current.digest) != (seen and seen.digest):
                now = f"run:{current.get('run')}" if current else "no run"
                then = f"run:{seen.get('run')}" if seen else "no run"
                moved = f"{alias} was {then} when this session began and is {now} now"
                raise AliasMoved(f"{moved}; run the model suite again")
            return self._add(history.entries, facts, action="promote", alias=alias, why=reason)

    def rollback(self, alias: str, reason: str) -> RegistryEntry:
        """Add a line that points the alias to its earlier promotion; raises NothingToRollBack."""
        with self._lock():
            history = self.history()
            standing = history.standing(alias)
            if standing.contenders:
                decide = 'tunegate registry merge --keep RUN --why "..."'
                raise NothingToRollBack(f"two branches moved {alias!r}: decide first, `{decide}`")
            current = standing.promotion
            if current is None or current.earlier is None:
                in_force = f"{0 if current is None else 1} promotion in force"
                raise NothingToRollBack(f"{alias!r} has {in_force}; there is none before it")
            earlier = current.earlier.entry
            facts = {k: earlier[k] for k in MODEL_KEYS if k in earlier}
            facts["from"] = current.entry.get("run")
            return self._add(history.entries, facts, action="rollback", alias=alias, why=reason)

    def merge(
        self, reason: str = "", theirs: Path | None = None, base: Path | None = None
    ) -> RegistryEntry | None:
        """Join two versions of this file: keep the lines of both, and add one that names both ends.

        Without `theirs` both are taken from this file: from between the conflict markers of git, or
        one after the other. The lines of `base`, which both came from, must be in both. Returns
        None, adding no line, where one version holds all of the other. Raises RegistryBroken.
        """
        with self._lock():
            sides = chain.conflict_sides(chain.numbered_lines(self.path))
            if theirs is not None:
                sides = [chain.numbered_lines(self.path), chain.numbered_lines(theirs)]
            may_fork = len(sides) == 1
            if not may_fork:
                for side in sides:
                    chain.read_history(side)
            for place, line in chain.numbered_lines(base) if base else []:
                if any(line not in (kept for _, kept in side) for side in sides):
                    raise RegistryBroken(f"{place}: a version lacks this line: it was rewritten")
            lines: dict[bytes, str] = {}
            for place, line in (numbered for side in sides for numbered in side):
                lines.setdefault(line, place)
            united: list[chain.Line] = [(place, line) for line, place in lines.items()]
            last = chain.heads(chain.read_history(united, may_fork=True).entries)
            ends = [entry.digest for entry in last]
            added = None
            if len(ends) > 1:
                joined = {"action": "merge", "alias": "", "why": reason, "previous": ends[0]}
                added = self._line({"merges": ends[1:]}, **joined)
                united.append(("", added))
            content = b"".join(line + b"\n" for _, line in united)
            if not self.path.exists() or content != self.path.read_bytes():
                atomic_write(self.path, content, mode=0o644)
            return RegistryEntry.read(added) if added else None

    def keep(self, run: str, reason: str, alias: str | None = None) -> list[RegistryEntry]:
        """Decide where aliases stand that two branches both moved: at a run of one of them.

        `run` is one that a branch promoted, or that both came from: its id, or the beginning of it,
        or of the model's digest. Without `alias`, each undecided one that has a promotion of it is
        decided. Raises ConfigError where none has, or one has several, RegistryBroken.
        """
        with self._lock():
            begin = run.removeprefix("run:")
            chosen: dict[str, tuple[RegistryEntry, RegistryEntry | None]] = {}
            runs: set[str] = set()
            for name, standing in self.history().undecided().items():
                if alias not in (None, name):
                    continue
                options = (standing.promotion, *standing.contenders)
                entries = [promotion.entry for promotion in options if promotion]
                runs |= {f"{name}: run:{entry.get('run')}" for entry in entries}
                named = [(e, str(e.get("run")), str(e.get("model_digest"))) for e in entries]
                found = {
                    digest: entry for entry, id_, digest in named
                    if begin and (id_.startswith(begin) or digest.startswith(begin))
                }  # fmt: skip
                if len(found) > 1:
                    digests = ", ".join(digest[:12] for digest in found)
                    raise ConfigError(f"{run!r} fits {len(found)} models of {name}: {digests}")
                for entry in found.values():
                    chosen[name] = entry, standing.entry
            if not chosen:
                undecided = ", ".join(sorted(runs)) or "none"
                raise ConfigError(f"no undecided alias has {run!r}; undecided: {undecided}")
            added = []
            for name, (entry, former) in chosen.items():
                facts = {k: entry[k] for k in CHAIN_KEYS if k in entry}
                facts |= {"kept": entry.digest, "from": former.get("run") if former else None}
                decision = {"action": "keep", "alias": name, "why": reason}
                added.append(self._add(self.entries(), facts, **decision))
            return added


def current_user() -> str:
    """Return who acts: the user of the CI job, else the login name, else "unknown"."""
    if user := os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN"):
        return user
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
