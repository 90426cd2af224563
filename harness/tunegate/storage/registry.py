"""Reads and extends `registry.jsonl`, the hash-chained record of promotions that users commit.

The chain may fork: two branches that both promoted share their first lines. A line of the action
`merge` joins them: it names the last lines of both, in `previous` and `merges`. Others name one.
"""

import getpass
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_
from pathlib import Path
from typing import Any, Self

from filelock import FileLock

from ..errors import ConfigError
from ..utils.files import atomic_write, sha256_bytes
from ..utils.masking import find_private
from ..utils.text import counted
from ..utils.timestamps import timestamp
from .state_dir import StateDir

Line = tuple[str, bytes]  # where it stands, "FILE, line N", and its bytes without the line end

REQUIRED_KEYS = ("action", "alias", "who", "when")
MERGE = "`tunegate registry merge` keeps the entries of both"
CONFLICT_MARKER = re.compile(rb"([<|=>])\1{6,}( .*)?")
ALIAS = re.compile(r"[._-]*[A-Za-z0-9][A-Za-z0-9._-]*")
MODEL_KEYS = ("run", "model", "model_digest", "trained")
CHAIN_KEYS = (*MODEL_KEYS, "receipt", "scorecard", "test")


class RegistryBroken(ConfigError):
    """A line of the registry was changed, removed or inserted: its hash chain does not hold."""


class AliasMoved(ConfigError):
    """The alias was moved by somebody else since the caller looked at it."""


class RegistryEntry(dict[str, Any]):
    """A line of the registry; `digest` is the sha256 of its bytes, which the next line names."""

    digest = ""

    @classmethod
    def read(cls, line: bytes) -> Self:
        """Parse a line; raises ValueError where it holds no JSON object."""
        values = json.loads(line)
        if not isinstance(values, dict):
            raise ValueError("no JSON object")
        entry = cls(values)
        entry.digest = sha256_bytes(line)
        return entry

    @property
    def parents(self) -> list[str]:
        """The digests of the lines before it: none for a first line, several for a merge."""
        first = [self["previous"]] if self["previous"] != "" else []
        return [*first, *self.get("merges", [])]


# Those that were not rolled back: the one in force, and those before it, each shared by the lines.
Promotions = tuple[()] | tuple[RegistryEntry, "Promotions"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an alias stands after a line."""

    promotions: Promotions = ()  # a rollback goes to the one before the one in force
    moved_by: frozenset[int] = frozenset()  # the lines that brought it there
    # Where two branches moved it to, until somebody decides: it stands where both came from.
    contenders: tuple[Promotions, ...] = ()

    @property
    def entry(self) -> RegistryEntry | None:
        """The line of the promotion in force; None before the first one."""
        return self.promotions[0] if self.promotions else None


Standings = dict[str, Standing]


def numbered_lines(path: Path) -> list[Line]:
    """Return the lines of a file, each with its place; none where there is no file."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [(f"{path}, line {number}", line) for number, line in enumerate(lines, start=1)]


def conflict_sides(lines: Sequence[Line]) -> list[list[Line]]:
    """Return both versions of a file that git left with conflict markers, else the only one."""
    sides: dict[bytes, list[Line]] = {b"<": [], b"=": []}
    marker = b">"  # after a conflict, and before the first, a line is part of both versions
    for place, line in lines:
        if match := CONFLICT_MARKER.fullmatch(line):
            marker = match[1]
            continue
        for side, kept in sides.items():
            if marker in (b">", side):
                kept.append((place, line))
    has_markers = any(CONFLICT_MARKER.fullmatch(line) for _, line in lines)
    return [*sides.values()] if has_markers else [[*lines]]


def read_history(lines: Iterable[Line], *, may_fork: bool = False) -> "History":
    """Return the history of lines; raises RegistryBroken naming the first bad line.

    Each line must follow from lines above, and all lead to the last, or to several with `may_fork`.
    """
    entries: dict[str, RegistryEntry] = {}  # by digest
    places: list[str] = []
    for place, line in lines:
        if CONFLICT_MARKER.fullmatch(line):
            left = "two branches both changed the registry, and git left its conflict markers here"
            raise RegistryBroken(f"{place}: {left}: {MERGE}")
        try:
            entry = RegistryEntry.read(line)
            is_chained = all(p in entries for p in entry.parents) and entry.digest not in entries
        except (ValueError, KeyError, TypeError, RecursionError):
            is_chained = False
        if not is_chained:
            changed = "a line was edited, removed or put in. Restore the file from version control"
            raise RegistryBroken(f"{place}: the chain is broken here; {changed}")
        if missing := [key for key in REQUIRED_KEYS if not isinstance(entry.get(key), str)]:
            raise RegistryBroken(f"{place}: it does not say {', '.join(missing)}")
        entries[entry.digest] = entry
        places.append(place)
    last_of_branches = heads([*entries.values()])
    if len(last_of_branches) > 1 and not may_fork:
        number = [*entries].index(last_of_branches[0].digest)
        changed = f"a line was put in, or two branches both promoted: then {MERGE}"
        raise RegistryBroken(f"{places[number + 1]}: the chain is broken here; {changed}")
    return History([*entries.values()], places)


def heads(entries: Sequence[RegistryEntry]) -> list[RegistryEntry]:
    """Return the entries that no other entry names as the one before it."""
    named = {digest for entry in entries for digest in entry.parents}
    return [entry for entry in entries if entry.digest not in named]


@dataclass
class History:
    """Where each alias stands after each entry; RegistryBroken names one of the `places`."""

    entries: Sequence[RegistryEntry]
    places: Sequence[str] = ()
    standings: list[Standings] = field(default_factory=list)
    reached: list[int] = field(default_factory=list)  # bit N: entry N is this one, or before it

    def __post_init__(self) -> None:
        numbers: dict[str, int] = {}
        for number, entry in enumerate(self.entries):
            parents = [numbers[digest] for digest in entry.parents]
            self.reached.append(self._reach(parents) | 1 << number)
            standings = self._after(parents)
            if entry["action"] != "merge":
                standing = standings.get(entry["alias"], Standing())
                moved = self._moved(number, entry, standing) if len(parents) < 2 else None
                if moved is None:
                    place = self.places[number] if self.places else f"entry {number + 1}"
                    faults = {
                        "rollback": "more is rolled back in it than was promoted",
                        "keep": "it keeps a promotion that no branch had made",
                    }
                    fault = faults.get(entry["action"], "only a merge has two lines before it")
                    raise RegistryBroken(f"{place}: {fault}")
                standings = {**standings, entry["alias"]: moved}
            self.standings.append(standings)
            numbers[entry.digest] = number

    @property
    def last(self) -> Standings:
        """The standing of each alias after the last entry."""
        return self.standings[-1] if self.standings else {}

    def standing(self, alias: str) -> Standing:
        """Return where an alias stands after the last entry."""
        return self.last.get(alias, Standing())

    def undecided(self) -> dict[str, Standing]:
        """Return the aliases that two branches both moved, each with where they moved it to."""
        return {alias: standing for alias, standing in self.last.items() if standing.contenders}

    @staticmethod
    def _moved(number: int, entry: RegistryEntry, standing: Standing) -> Standing | None:
        """Return where an entry moves its alias to; None where there is no such place."""
        promotions, moved_by = standing.promotions, frozenset({number})
        if entry["action"] == "rollback":
            return Standing(promotions[1], moved_by) if promotions else None
        if entry["action"] == "keep":
            for kept in (promotions, *standing.contenders):
                if standing.contenders and kept and kept[0].digest == entry.get("kept"):
                    return Standing(kept, moved_by)
            return None
        return Standing((entry, promotions), moved_by)

    def _reach(self, numbers: Iterable[int]) -> int:
        return reduce(or_, (self.reached[number] for number in numbers), 0)

    def _after(self, numbers: Sequence[int]) -> Standings:
        """Return the standings where the branches that end with these entries meet."""
        if len(numbers) < 2:
            return self.standings[numbers[0]] if numbers else {}
        *others, last = numbers
        common, newest = self._reach(others) & self.reached[last], []
        while common:  # an entry stands after all that are before it: the highest bit is the newest
            newest.append(common.bit_length() - 1)
            common &= ~self.reached[newest[-1]]
        ours, theirs, base = self._after(others), self.standings[last], self._after(newest)
        unmoved = Standing()
        return {
            alias: merged_standing(*(side.get(alias, unmoved) for side in (ours, theirs, base)))
            for alias in sorted({*ours, *theirs})
        }


def merged_standing(ours: Standing, theirs: Standing, base: Standing) -> Standing:
    """Return where an alias stands that two branches left there: at `base` where both moved it."""
    if theirs.moved_by in (base.moved_by, ours.moved_by):
        return ours
    if ours.moved_by == base.moved_by:
        return theirs
    sides = (side.contenders or (side.promotions,) for side in (ours, theirs))
    contenders = tuple(promotions for side in sides for promotions in side)
    return Standing(base.promotions, ours.moved_by | theirs.moved_by, contenders)


def promotions_in_force(entries: Sequence[RegistryEntry], alias: str) -> list[RegistryEntry]:
    """Return the promotions of an alias that were not rolled back; the last one is in force."""
    rest, in_force = History(entries).standing(alias).promotions, list[RegistryEntry]()
    while rest:
        promoted, rest = rest
        in_force.append(promoted)
    return in_force[::-1]


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
        found = f"{private.kind}, from character {private.start + 1} on: a reason is committed"
        raise ConfigError(f"--why holds what looks like {found}; say it without")
    return text


class Registry:
    """`registry.jsonl`: each line carries the sha256 of the line before it in `previous`.

    What a line says is decided and written inside one lock. `path` is another file of this format.
    """

    def __init__(self, root: Path, path: Path | None = None) -> None:
        self.path = path or root / "registry.jsonl"
        self.state = StateDir(root)

    def history(self) -> History:
        """Return where each alias stands after each line; raises RegistryBroken for a bad one."""
        return read_history(numbered_lines(self.path))

    def entries(self) -> list[RegistryEntry]:
        """Return every line, oldest first; raises RegistryBroken naming the first bad line."""
        return [*self.history().entries]

    @cached_property
    def _lock(self) -> FileLock:
        """The lock of the file; who holds it can take it again."""
        return FileLock(self.state.path("registry.lock"))

    def append(
        self, action: str, alias: str, facts: Mapping[str, Any], reason: str
    ) -> RegistryEntry:
        """Add one line and return it, while the file is locked; raises RegistryBroken."""
        with self._lock:
            entries = self.entries()
            existing = self.path.read_bytes() if self.path.exists() else b""
            if existing and not existing.endswith((b"\n", b"\r")):
                existing += b"\n"  # an editor took the last line end away
            previous = entries[-1].digest if entries else ""
            line = self._line(facts, action=action, alias=alias, why=reason, previous=previous)
            atomic_write(self.path, existing + line + b"\n", mode=0o644)
            return RegistryEntry.read(line)

    def _line(self, facts: Mapping[str, Any], **decision: str) -> bytes:
        """Return the line of an entry that is made now, signed by the state tree."""
        made = {"who": current_user(), "when": timestamp("seconds")}
        entry = {k: v for k, v in {**facts, **decision, **made}.items() if k != "seal"}
        return json.dumps(self.state.sign(entry), ensure_ascii=False, sort_keys=True).encode()

    def current(self, alias: str) -> RegistryEntry | None:
        """Return the promotion in force of an alias; None where it has none."""
        return self.history().standing(alias).entry

    def promote(
        self, alias: str, facts: Mapping[str, Any], reason: str, seen: RegistryEntry | None
    ) -> RegistryEntry | None:
        """Add a promotion, and return it; None where this model is in force already.

        `facts`: model, run, receipt and scorecard; `seen`: the promotion that it was compared with.
        Raises AliasMoved where another is in force now, ConfigError for no alias, RegistryBroken.
        """
        checked_alias(alias)
        with self._lock:
            standing = self.history().standing(alias)
            current = standing.entry
            is_in_force = current and current.get("model_digest") == facts["model_digest"]
            if is_in_force and not standing.contenders:
                return None
            if (current and current.digest) != (seen and seen.digest):
                now = f"run:{current.get('run')}" if current else "no run"
                then = f"run:{seen.get('run')}" if seen else "no run"
                moved = f"{alias} was {then} when this session began and is {now} now"
                raise AliasMoved(f"{moved}; run the model suite again")
            return self.append("promote", alias, facts, reason)

    def rollback(self, alias: str, reason: str) -> RegistryEntry:
        """Add a line that points the alias to its earlier promotion; raises ConfigError without."""
        with self._lock:
            standing = self.history().standing(alias)
            if standing.contenders:
                decide = 'tunegate registry merge --keep RUN --why "..."'
                raise ConfigError(f"two branches moved {alias!r}: decide first, `{decide}`")
            current, before = standing.promotions or (RegistryEntry(), ())
            if not before:
                in_force = f"{counted(int(bool(current)), 'promotion')} in force"
                raise ConfigError(f"{alias!r} has {in_force}; there is none before it")
            facts = {k: before[0][k] for k in MODEL_KEYS if k in before[0]}
            facts["from"] = current.get("run")
            return self.append("rollback", alias, facts, reason)

    def merge(
        self, reason: str = "", theirs: Path | None = None, base: Path | None = None
    ) -> RegistryEntry | None:
        """Join two versions of this file: keep the lines of both, and add one that names both ends.

        Without `theirs` both are taken from this file: from between the conflict markers of git, or
        one after the other. The lines of `base`, which both came from, must be in both. Returns
        None, adding no line, where one version holds all of the other. Raises RegistryBroken.
        """
        with self._lock:
            sides = conflict_sides(numbered_lines(self.path))
            if theirs is not None:
                sides = [numbered_lines(self.path), numbered_lines(theirs)]
            for side in sides if len(sides) > 1 else ():
                read_history(side)
            for place, line in numbered_lines(base) if base else []:
                if any(line not in (kept for _, kept in side) for side in sides):
                    raise RegistryBroken(f"{place}: a version lacks this line: it was rewritten")
            lines: dict[bytes, str] = {}
            for place, line in (numbered for side in sides for numbered in side):
                lines.setdefault(line, place)
            united: list[Line] = [(place, line) for line, place in lines.items()]
            ends = [entry.digest for entry in heads(read_history(united, may_fork=True).entries)]
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
        with self._lock:
            begin = run.removeprefix("run:")
            chosen: list[tuple[str, RegistryEntry, RegistryEntry | None]] = []
            runs: set[str] = set()
            for name, standing in self.history().undecided().items():
                if alias not in (None, name):
                    continue
                found = {}
                options = (standing.promotions, *standing.contenders)
                for entry in (promotions[0] for promotions in options if promotions):
                    id_, digest = str(entry.get("run")), str(entry.get("model_digest"))
                    runs.add(f"{name}: run:{id_}")
                    if begin and (id_.startswith(begin) or digest.startswith(begin)):
                        found[digest] = entry
                if len(found) > 1:
                    digests = ", ".join(digest[:12] for digest in found)
                    raise ConfigError(f"{run!r} fits {len(found)} models of {name}: {digests}")
                chosen += [(name, entry, standing.entry) for entry in found.values()]
            if not chosen:
                undecided = ", ".join(sorted(runs)) or "none"
                raise ConfigError(f"no undecided alias has {run!r}; undecided: {undecided}")
            added = []
            for name, entry, former in chosen:
                facts = {k: entry[k] for k in CHAIN_KEYS if k in entry}
                facts |= {"kept": entry.digest, "from": former.get("run") if former else None}
                added.append(self.append("keep", name, facts, reason))
            return added


def current_user() -> str:
    """Return who acts: the user of the CI job, else the login name, else "unknown"."""
    if user := os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN"):
        return user
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
