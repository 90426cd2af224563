"""Reads and writes `accepted.toml`: the findings that are known and accepted, committed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .acceptance import KEYS, Entry
from .project import ConfigError, nearest

FILE = "accepted.toml"
HEAD = """\
# Findings of the data suite that somebody looked at and accepted, with `tunegate accept`.
# Each entry is for one finding in a row as it is now; without its entry the finding counts again.
"""


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
