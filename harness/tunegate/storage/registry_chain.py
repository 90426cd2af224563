"""Reads the lines of a registry as a chain that may fork, and says where each alias stands in it.

Two branches that both promoted share their first lines. A line of the action `merge` joins them: it
names the last lines of both, in `previous` and `merges`. All other lines have one line before them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..utils.hashing import sha256_bytes

Line = tuple[str, bytes]  # where it stands, "FILE, line N", and its bytes without the line end

REQUIRED_KEYS = ("action", "alias", "who", "when")
MERGE = "`tunegate registry merge` keeps the entries of both"
CONFLICT_MARKER = re.compile(rb"([<|=>])\1{6,}( .*)?")


class RegistryBroken(ConfigError):
    """A line of the registry was changed, removed or inserted: its hash chain does not hold."""


class RegistryEntry(dict[str, Any]):
    """A line of the registry; `digest` is the sha256 of its bytes, which the next line names."""

    digest = ""

    @classmethod
    def read(cls, line: bytes) -> RegistryEntry:
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


@dataclass(frozen=True, slots=True, eq=False)
class Promotion:
    """A promotion that was not rolled back, and the one that a rollback goes back to."""

    entry: RegistryEntry
    earlier: Promotion | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an alias stands after a line."""

    promotion: Promotion | None = None
    moved_by: frozenset[int] = frozenset()  # the lines that brought it there
    # Where two branches moved it to, until somebody decides: it stands where both came from.
    contenders: tuple[Promotion | None, ...] = ()

    @property
    def entry(self) -> RegistryEntry | None:
        """The line of the promotion in force; None before the first one."""
        return self.promotion.entry if self.promotion else None


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


def read_history(lines: Iterable[Line], *, may_fork: bool = False) -> History:
    """Return the history of lines; raises RegistryBroken naming the first bad line.

    Each line must name lines above it, and the last line must follow from all others; with
    `may_fork`, several lines may be the last of a branch.
    """
    entries: list[RegistryEntry] = []
    places: list[str] = []
    numbers: dict[str, int] = {}
    for place, line in lines:
        if CONFLICT_MARKER.fullmatch(line):
            left = "two branches both changed the registry, and git left its conflict markers here"
            raise RegistryBroken(f"{place}: {left}: {MERGE}")
        try:
            entry = RegistryEntry.read(line)
            is_chained = all(p in numbers for p in entry.parents) and entry.digest not in numbers
        except (ValueError, KeyError, TypeError, RecursionError):
            is_chained = False
        if not is_chained:
            changed = "a line was edited, removed or put in. Restore the file from version control"
            raise RegistryBroken(f"{place}: the chain is broken here; {changed}")
        if missing := [key for key in REQUIRED_KEYS if not isinstance(entry.get(key), str)]:
            raise RegistryBroken(f"{place}: it does not say {', '.join(missing)}")
        numbers[entry.digest] = len(entries)
        entries.append(entry)
        places.append(place)
    last_of_branches = heads(entries)
    if len(last_of_branches) > 1 and not may_fork:
        number = min(numbers[entry.digest] for entry in last_of_branches)
        changed = f"a line was put in, or two branches both promoted: then {MERGE}"
        raise RegistryBroken(f"{places[number + 1]}: the chain is broken here; {changed}")
    return History(entries, places)


def heads(entries: Iterable[RegistryEntry]) -> list[RegistryEntry]:
    """Return the entries that no other entry names as the one before it."""
    entries = [*entries]
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
        promotion, moved_by = standing.promotion, frozenset({number})
        if entry["action"] == "rollback":
            return Standing(promotion.earlier, moved_by) if promotion else None
        if entry["action"] == "keep":
            for kept in (promotion, *standing.contenders):
                if standing.contenders and kept and kept.entry.digest == entry.get("kept"):
                    return Standing(kept, moved_by)
            return None
        return Standing(Promotion(entry, promotion), moved_by)

    def _reach(self, numbers: Iterable[int]) -> int:
        reached = 0
        for number in numbers:
            reached |= self.reached[number]
        return reached

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
    sides = (side.contenders or (side.promotion,) for side in (ours, theirs))
    contenders = tuple(promotion for side in sides for promotion in side)
    return Standing(base.promotion, ours.moved_by | theirs.moved_by, contenders)


def promotions_in_force(entries: Sequence[RegistryEntry], alias: str) -> list[RegistryEntry]:
    """Return the promotions of an alias that were not rolled back; the last one is in force."""
    promotion, newest_first = History(entries).standing(alias).promotion, []
    while promotion:
        newest_first.append(promotion.entry)
        promotion = promotion.earlier
    return newest_first[::-1]
