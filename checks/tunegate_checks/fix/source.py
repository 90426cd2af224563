"""From a file to rows that can be written again: each keeps the bytes it stood in.

Every line that is not blank (every element of an array, every record of a table) ends as a row or
is set aside with the reason, its bytes as they are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunegate.dataset import Example
from tunegate.reader import BOM, pieces
from tunegate.shapes import SHAPES, normalised
from tunegate.strictjson import Unreadable, parse

Fields = dict[str, Any]


@dataclass(eq=False)
class Row:
    """One row on its way through the steps; `raw` is what is written while nothing changed it."""

    line: int  # its first line in the source, from 1
    fields: Fields
    raw: bytes
    origin: bytes  # as it stands in the source
    plain: Fields | None = None  # as it was before redaction, where that changed it
    kept: bool = True

    def put(self, fields: Fields) -> None:
        """Replace the row's fields, and so its bytes."""
        self.fields, self.raw = fields, written(fields)

    def example(self, number: int) -> Example:
        """Return the row as the checks know it; they then name the line of the source."""
        return Example(number, self.line, self.fields)


@dataclass(frozen=True)
class Aside:
    """What could not be read, or not be put right: where it stood, its bytes, and why."""

    line: int
    raw: bytes
    why: str


@dataclass
class Source:
    """A file, read: rows, what was set aside, and what is said of the file as a whole."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    aside: list[Aside] = field(default_factory=list)
    shaped: list[tuple[Row, str]] = field(default_factory=list)  # rows that became messages
    notes: list[str] = field(default_factory=list)
    suffix: str = ".jsonl"  # of the file for what is set aside
    head: bytes = b""  # and its first line

    @property
    def total(self) -> int:
        """How many rows the file has, the broken ones among them."""
        return len(self.rows) + len(self.aside)


def written(fields: Mapping[str, Any]) -> bytes:
    """Return a row as compact JSON, its keys in their order; raise Unreadable where none can be."""
    try:
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except UnicodeEncodeError:
        raise Unreadable("encoding", "a field is not UTF-8; save the file as UTF-8") from None
    except ValueError:
        raise Unreadable("json", "a field holds NaN or an infinity, which JSON lacks") from None


def read(path: Path, columns: Mapping[str, str] | None = None) -> Source:
    """Read a file; `columns` maps those of CSV or Parquet.

    Raises OSError where it cannot be read, ConfigError where the columns do not fit it or it is not
    UTF-8, ValueError where not one row can be read.
    """
    from tunegate.charset import check_charset
    from tunegate.columns import check_columns, is_table

    from .table import read_rows

    columns = columns or {}
    if is_table(path, bool(columns)):
        check_columns(path, columns)
        source = read_rows(path, columns)
    else:
        check_charset(path)
        source = _json(path, path.read_bytes())
    if not source.rows:
        first = source.aside[0] if source.aside else None
        why = f"line {first.line}: {_reason(path, first)}" if first else "it holds no rows"
        raise ValueError(f"{path}: nothing to fix, and nothing was written: {why}")
    return source


def _reason(path: Path, first: Aside) -> str:
    """Say what is wrong with a file of which not one row can be read: it may be no JSON at all."""
    from tunegate import reader

    problems = reader.read(path.read_bytes())[1]
    return next((p.evidence for p in problems), first.why)


def _json(path: Path, data: bytes) -> Source:
    source = Source(path)
    shapes: Counter[str] = Counter()
    for line, raw, problem in _pieces(data):
        try:
            if problem:
                raise problem
            shape, fields = normalised(parse(_text(raw), line))
            own = shape is SHAPES[0]
            one = b" ".join(raw.strip().splitlines()) if own else written(fields)
            row = Row(line, fields, one, raw)
        except Unreadable as bad:
            source.aside.append(Aside(line, raw, str(bad)))
            continue
        source.rows.append(row)
        if not own:
            shapes[shape.name] += 1
            source.shaped.append((row, f"{shape.name}: {shape.note}"))
    source.notes += _notes(data, source)
    return source


def _pieces(data: bytes) -> Iterator[tuple[int, bytes, Unreadable | None]]:
    at = 0
    for line, piece in pieces(data):
        if isinstance(piece, Unreadable):
            yield line, data[at:].strip(b" \t\r\n]"), piece  # what stands behind the last element
        else:
            raw = bytes(piece)
            at = data.index(raw, at) + len(raw)
            yield line, raw, None


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        where = f"byte {error.start + 1} of the row"
        raise Unreadable("encoding", f"{where} is not UTF-8; save the file as UTF-8") from None


def _notes(data: bytes, source: Source) -> Iterator[str]:
    """Say what the file loses by being written as JSON Lines: nothing that a reader would see."""
    body = data.removeprefix(BOM)
    array = body.lstrip()[:1] == b"[" and not _first(source).startswith(b"[")
    returns, lines = body.count(b"\r\n"), body.count(b"\n") + (body[-1:] not in (b"", b"\n"))
    blank = 0 if array else lines - source.total
    facts = {
        "the byte order mark": len(body) < len(data),
        f"{returns:,} carriage returns at line ends": returns > 0,
        f"{blank:,} blank lines": blank > 0,
    }
    if array:
        yield "a JSON array became JSON Lines: one row a line"
    yield from (f"{what} left out" for what, holds in facts.items() if holds)


def _first(source: Source) -> bytes:
    both = [(r.line, r.raw) for r in source.rows[:1]] + [(a.line, a.raw) for a in source.aside[:1]]
    return min(both, default=(0, b""))[1]
