"""From a file to rows that can be written again: each keeps the bytes it stood in.

Every line that is not blank (every element of an array, every record of a table) ends as a row or
is set aside with the reason, its bytes as they are.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tunegate.data.dataset import Example
from tunegate.data.formats import ROW_FORMATS, to_messages
from tunegate.data.json_lines import BOM, decode_row, split_rows
from tunegate.data.tables import read_table_rows
from tunegate.utils.strict_json import Unreadable, parse_strict

Fields = dict[str, Any]


@dataclass(eq=False)
class Row:
    """One row on its way through the steps; `raw` is what is written while nothing changed it."""

    line: int  # its first line in the source, from 1
    fields: Fields
    raw: bytes
    origin: bytes  # as it stands in the source
    unredacted: Fields | None = None  # as it was before redaction, where that changed it
    is_kept: bool = True

    def set_fields(self, fields: Fields) -> None:
        """Replace the row's fields, and so its bytes."""
        self.fields, self.raw = fields, to_json_line(fields)

    def example(self, number: int) -> Example:
        """Return the row as the checks know it; they then name the line of the source."""
        return Example(number, self.line, self.fields)


@dataclass(frozen=True)
class Rejected:
    """What could not be read, or not be put right: where it stood, its bytes, and why."""

    line: int
    raw: bytes
    reason: str


@dataclass
class Source:
    """A file, read: rows, what was set aside, and what is said of the file as a whole."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    converted: list[tuple[Row, str]] = field(default_factory=list)  # rows that became messages
    notes: list[str] = field(default_factory=list)
    suffix: str = ".jsonl"  # of the file for what is set aside
    head: bytes = b""  # and its first line

    @property
    def row_count(self) -> int:
        """How many rows the file has, the broken ones among them."""
        return len(self.rows) + len(self.rejected)


def to_json_line(fields: Mapping[str, Any]) -> bytes:
    """Return a row as compact JSON, its keys in their order; raise Unreadable where none can be."""
    try:
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except UnicodeEncodeError:
        raise Unreadable("encoding", "a field is not UTF-8; save the file as UTF-8") from None
    except ValueError:
        raise Unreadable("json", "a field holds NaN or an infinity, which JSON lacks") from None


def read_source(path: Path, columns: Mapping[str, str] | None = None) -> Source:
    """Read a file; `columns` maps those of CSV or Parquet.

    Raises OSError where it cannot be read, ConfigError where the columns do not fit it or it is not
    UTF-8, ValueError where not one row can be read.
    """
    from tunegate.data.tables import check_columns, is_table
    from tunegate.data.text_encoding import check_encoding

    columns = columns or {}
    if is_table(path, bool(columns)):
        check_columns(path, columns)
        source = read_table_source(path, columns)
    else:
        check_encoding(path)
        source = _read_json(path, path.read_bytes())
    if not source.rows:
        first_rejected = source.rejected[0] if source.rejected else None
        reason = (
            f"line {first_rejected.line}: {_unreadable_reason(path, first_rejected)}"
            if first_rejected
            else "it holds no rows"
        )
        raise ValueError(f"{path}: nothing to fix, and nothing was written: {reason}")
    return source


def _unreadable_reason(path: Path, first_rejected: Rejected) -> str:
    """Say what is wrong with a file of which not one row can be read: it may be no JSON at all."""
    from tunegate.data import json_lines

    problems = json_lines.read_json_rows(path.read_bytes())[1]
    return next((p.evidence for p in problems), first_rejected.reason)


def _read_json(path: Path, data: bytes) -> Source:
    source = Source(path)
    format_counts: Counter[str] = Counter()
    for line, raw, problem in _raw_pieces(data):
        try:
            if problem:
                raise problem
            row_format, fields = to_messages(parse_strict(decode_row(raw), line))
            is_chat = row_format is ROW_FORMATS[0]
            row_bytes = b" ".join(raw.strip().splitlines()) if is_chat else to_json_line(fields)
            row = Row(line, fields, row_bytes, raw)
        except Unreadable as error:
            source.rejected.append(Rejected(line, raw, str(error)))
            continue
        source.rows.append(row)
        if not is_chat:
            format_counts[row_format.name] += 1
            source.converted.append((row, f"{row_format.name}: {row_format.hint}"))
    source.notes += _file_notes(data, source)
    return source


def _raw_pieces(data: bytes) -> Iterator[tuple[int, bytes, Unreadable | None]]:
    position = 0
    for line, piece in split_rows(data):
        if isinstance(piece, Unreadable):
            yield (
                line,
                data[position:].strip(b" \t\r\n]"),
                piece,
            )  # what stands behind the last element
        else:
            raw = bytes(piece)
            position = data.index(raw, position) + len(raw)
            yield line, raw, None


def _file_notes(data: bytes, source: Source) -> Iterator[str]:
    """Say what the file loses by being written as JSON Lines: nothing that a reader would see."""
    body = data.removeprefix(BOM)
    is_array = body.lstrip()[:1] == b"[" and not _first_line(source).startswith(b"[")
    returns, lines = body.count(b"\r\n"), body.count(b"\n") + (body[-1:] not in (b"", b"\n"))
    blank = 0 if is_array else lines - source.row_count
    losses = {
        "the byte order mark": len(body) < len(data),
        f"{returns:,} carriage returns at line ends": returns > 0,
        f"{blank:,} blank lines": blank > 0,
    }
    if is_array:
        yield "a JSON array became JSON Lines: one row a line"
    yield from (f"{loss} left out" for loss, is_lost in losses.items() if is_lost)


def _first_line(source: Source) -> bytes:
    first_lines = [(r.line, r.raw) for r in source.rows[:1]] + [
        (a.line, a.raw) for a in source.rejected[:1]
    ]
    return min(first_lines, default=(0, b""))[1]


# [merged] Rows of CSV and Parquet; a record that cannot be read is set aside as it stands in the file.


def read_table_source(path: Path, columns: Mapping[str, str]) -> Source:
    """Return the rows of a table as chat messages; every one of them is written anew."""
    data = path.read_bytes()
    rows, problems = read_table_rows(data, columns)
    source = Source(path)
    errors = {p.line: p.evidence for p in problems if p.line is not None}
    parquet = data.startswith(b"PAR1")
    if not parquet:
        source.suffix, source.head = path.suffix, data.partition(b"\n")[0] + b"\n"
    raw_rows = {} if parquet else _record_bytes(data, [*errors, *(line for line, _ in rows)])
    for line, fields in rows:
        try:
            # What pandas returns for numbers and dates is nothing that JSON knows.
            json_fields = json.loads(json.dumps(fields, default=_to_json_value))
            raw = to_json_line(json_fields)
            source.rows.append(Row(line, json_fields, raw, raw_rows.get(line, raw)))
        except Unreadable as error:
            errors[line] = str(error)
    if parquet and errors:
        raw_rows = _parquet_records(data, sorted(errors))
    source.rejected = [
        Rejected(line, raw_rows.get(line, b""), errors[line]) for line in sorted(errors)
    ]
    columns_text = ", ".join(f"{column} as {field}" for field, column in columns.items())
    source.notes.append(f"a table became chat messages: {columns_text}")
    return source


def _to_json_value(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _record_bytes(data: bytes, starts: list[int]) -> dict[int, bytes]:
    """Return what stands from the first line of each record to the first of the next."""
    lines = data.split(b"\n")
    ordered = [*sorted(starts), len(lines) + 1]
    pairs = pairwise(ordered)
    return {a: b"\n".join(lines[a - 1 : b - 1]).rstrip(b"\r\n") for a, b in pairs}


def _parquet_records(data: bytes, numbers: list[int]) -> dict[int, bytes]:
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(data))
    existing = (n for n in numbers if n <= len(frame))
    return {n: _parquet_record(frame.iloc[[n - 1]]) for n in existing}


def _parquet_record(frame: Any) -> bytes:
    text = frame.to_json(orient="records", lines=True, force_ascii=False, default_handler=str)
    return str(text).rstrip("\n").encode("utf-8", "surrogatepass")
