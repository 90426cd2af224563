"""Findings that are known and accepted: `accepted.toml`, committed, one entry for each finding."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .project import ConfigError, nearest

if TYPE_CHECKING:
    from .findings import Finding, Findings

FILE = "accepted.toml"
HEAD = """\
# Findings of the data suite that somebody looked at and accepted, with `tunegate accept`.
# Each entry is for one finding in a row as it is now; without its entry the finding counts again.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted finding; `where` and `evidence` are for whoever reads the diff."""

    id: str
    check: str
    kind: str
    where: str
    evidence: str
    why: str
    who: str
    when: str


KEYS = [f.name for f in fields(Entry)]


def read(root: Path) -> dict[str, Entry]:
    """Return the entries of the project at `root`, by id.

    Raises ConfigError naming file, line and key where one was broken by hand.
    """
    import tomllib

    path = root / FILE
    if not path.is_file():
        return {}
    try:
        text = path.read_text("utf-8")
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if wrong := [key for key in table if key != "accepted"]:
        raise ConfigError(f"{path}: unknown key {wrong[0]!r}; entries begin with [[accepted]]")
    said = table.get("accepted", [])
    if not isinstance(said, list):
        raise ConfigError(f"{path}: entries begin with [[accepted]], in double brackets")
    heads = [n for n, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[", line)]
    entries: dict[str, Entry] = {}
    for i, one in enumerate(said):
        where = f"{path}, line {heads[i]}" if len(heads) == len(said) else f"{path}, entry {i + 1}"
        entry = _entry(where, one)
        if entry.id in entries:
            raise ConfigError(f"{where}: id {entry.id!r} stands here twice; keep one entry")
        entries[entry.id] = entry
    return entries


def _entry(where: str, said: Any) -> Entry:
    if not isinstance(said, dict):
        raise ConfigError(f"{where}: an entry is a table that begins with [[accepted]]")
    for key in said:
        if key not in KEYS:
            valid = ", ".join(KEYS)
            raise ConfigError(f"{where}: unknown key {key!r}{nearest(key, KEYS)}; valid: {valid}")
    for key in KEYS:
        if key not in said:
            raise ConfigError(f"{where}: no {key!r}; `tunegate accept ID --why ...` writes it")
        if not isinstance(said[key], str) or not said[key].strip():
            raise ConfigError(f"{where}: {key} = {said[key]!r}; a text that is not blank is needed")
    return Entry(**said)


def add(root: Path, new: Sequence[Entry]) -> None:
    """Put entries behind what the file holds; nothing that stands there is touched."""
    path = root / FILE
    before = path.read_text("utf-8") if path.is_file() else HEAD
    text = before.rstrip("\n") + "\n" + "".join(map(_table, new))
    from .files import write_whole

    write_whole(path, text.encode())


def _table(entry: Entry) -> str:
    pairs = (f"{key} = {_quoted(value)}" for key, value in asdict(entry).items())
    return "\n[[accepted]]\n" + "\n".join(pairs) + "\n"


def _quoted(text: str) -> str:
    # A JSON string is one of TOML's too, but for DEL; lone surrogates are in neither.
    plain = text.encode("utf-8", "backslashreplace").decode()
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


@dataclass(slots=True)
class Force:
    """What is in force while a test of the data suite runs, and the findings it has made."""

    entries: Mapping[str, Entry]
    made: list[Findings] = field(default_factory=list)


_force: ContextVar[Force | None] = ContextVar("tunegate_accepted", default=None)


@contextmanager
def in_force(entries: Mapping[str, Entry]) -> Iterator[list[Findings]]:
    """Accept these entries inside the block; collects the findings that are made there.

    Outside of such a block (a notebook, a model suite) nothing is accepted: a finding may then
    serve to leave rows out, and no reason was ever given for leaving them in.
    """
    force = Force(entries)
    token = _force.set(force)
    try:
        yield force.made
    finally:
        _force.reset(token)


def active() -> bool:
    """Say whether findings can be accepted here: while a test of the data suite runs."""
    return _force.get() is not None


def covers(check: str, finding: Finding) -> bool:
    """Say whether an entry in force accepts this finding of this check."""
    force = _force.get()
    entry = force.entries.get(finding.id) if force else None
    # An entry that names another check or kind than its id stands for misleads whoever reads it.
    return entry is not None and (entry.check, entry.kind) == (check, finding.kind)


def note(findings: Findings) -> None:
    """Remember that these findings were made, where that is asked for."""
    if force := _force.get():
        force.made.append(findings)
