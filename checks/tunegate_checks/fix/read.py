"""Read a file into rows that keep the bytes they were read from, so that they can be written again.

Every line that is not blank (every element of an array, every record of a table) becomes a row, or
is set aside with the reason and its bytes as they are.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tunegate.data import json_lines
from tunegate.data.formats import ROW_FORMATS
from tunegate.data.formats.row_format import Fields
from tunegate.data.tables import check_data, read_saved, read_table_rows
from tunegate.errors import ConfigError
from tunegate.utils.strict_json import Unreadable, to_json_line


@dataclass(eq=False)
class Row:
    """One row of the source, and its state after the steps so far."""

    line: int  # its first line in the source, from 1
    fields: Fields
    raw: bytes  # written to the result; those of the source until a step changes the fields
    origin: bytes  # as it stands in the source
    unredacted: Fields | None = None  # the fields before redaction, where redaction changed them
    is_kept: bool = True
    refusal: str = ""  # why it was not redacted
    reason: str = ""  # why it was set aside: it cannot be read, or not be put right


@dataclass
class Source:
    """The content of a file: its rows, those set aside, and notes on the file as a whole."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    rejected: list[Row] = field(default_factory=list)
    converted: list[tuple[Row, str]] = field(default_factory=list)  # rows that became messages
    notes: list[str] = field(default_factory=list)
    suffix: str = ".jsonl"  # of the file that gets the rows set aside
    head: bytes = b""  # its first line: the header of a CSV file


def read_source(path: Path, columns: Mapping[str, str] | None = None, split: str = "") -> Source:
    """Read a file, or its `split`; raises OSError, ConfigError, ValueError for no readable row."""
    whole = read_saved(path, split)
    if unread := json_lines.unread_rows(whole, split):
        raise ConfigError(f"{path}: {unread[0].evidence}")
    data = json_lines.select_split(whole, split)
    check_data(data, path, columns or {})
    is_table = json_lines.is_table(path, mapped=bool(columns))
    source = (read_table_source if is_table else read_json_source)(path, data, columns or {})
    if source.rows:
        return source
    reason = "it holds no rows"
    if source.rejected:
        # The file may be no JSON at all: the reader of datasets then has the better reason.
        problems = json_lines.read_json_rows(data)[1]
        evidence = problems[0].evidence if problems else source.rejected[0].reason
        reason = f"line {source.rejected[0].line}: {evidence}"
    raise ValueError(f"{path}: nothing to fix, and nothing was written: {reason}")


def read_json_source(path: Path, data: bytes, columns: Mapping[str, str] | None = None) -> Source:
    """Return the rows of JSON Lines or of a JSON array; `path` is not read."""
    source = Source(path)
    position = 0  # in `data`, just behind the row that was read last
    for line, raw in json_lines.split_rows(data):
        if isinstance(raw, Unreadable):  # the rest of an array, which is read no further
            rest = re.sub(rb"\A\s*[\[\],]?\s*|\s+\Z", b"", data[position:])
            source.rejected.append(Row(line, {}, rest, rest, reason=str(raw)))
            continue
        if (found := data.find(raw, position)) >= 0:  # a question of SQuAD's is part of its article
            position = found + len(raw)
        try:
            row_format, fields = json_lines.read_row(raw, line, columns)
            # What is read as chat stays as it stands, in another dialect too.
            is_chat = row_format.required == ROW_FORMATS[0].required
            row_bytes = b" ".join(raw.strip().splitlines()) if is_chat else to_json_line(fields)
        except Unreadable as error:
            source.rejected.append(Row(line, {}, raw, raw, reason=str(error)))
        else:
            row = Row(line, fields, row_bytes, raw)
            source.rows.append(row)
            if not is_chat:
                source.converted.append((row, f"{row_format.name}: {row_format.hint}"))
    source.notes += _layout_notes(data, source)
    return source


def _layout_notes(data: bytes, source: Source) -> Iterator[str]:
    """Yield what JSON Lines do not keep of the file's layout: nothing that is part of a row."""
    body = data.removeprefix(json_lines.BOM)
    first_rows = (*source.rows[:1], *source.rejected[:1])
    first_raw = min(((row.line, row.raw) for row in first_rows), default=(0, b""))[1]
    is_array = body.lstrip()[:1] == b"[" and not first_raw.startswith(b"[")
    returns, lines = body.count(b"\r\n"), body.count(b"\n") + (body[-1:] not in (b"", b"\n"))
    blank = 0 if is_array else lines - len(source.rows) - len(source.rejected)
    losses = {
        "the byte order mark": len(body) < len(data),
        f"{returns:,} carriage returns at line ends": returns > 0,
        f"{blank:,} blank lines": blank > 0,
    }
    if is_array:
        yield "a JSON array became JSON Lines: one row a line"
    yield from (f"{loss} left out" for loss, is_lost in losses.items() if is_lost)


def read_table_source(path: Path, data: bytes, columns: Mapping[str, str]) -> Source:
    """Return rows of CSV or Parquet as chat messages; set aside, as it is, what is unreadable."""
    rows, problems = read_table_rows(data, columns)
    source = Source(path)
    errors = {p.line: p.evidence for p in problems if p.line is not None}
    parquet, raw_rows = data.startswith(b"PAR1"), dict[int, bytes]()
    if not parquet:
        source.suffix, source.head = path.suffix, data.partition(b"\n")[0] + b"\n"
        lines, starts = data.split(b"\n"), sorted([*errors, *(line for line, _ in rows)])
        for start, end in pairwise([*starts, len(lines) + 1]):
            raw_rows[start] = b"\n".join(lines[start - 1 : end - 1]).rstrip(b"\r\n")
    for line, fields in rows:
        try:
            raw = to_json_line(fields)
            # Dates and such are no values of JSON: what is written is the row from here on.
            source.rows.append(Row(line, json.loads(raw), raw, raw_rows.get(line, raw)))
        except Unreadable as error:
            errors[line] = str(error)
    if parquet and errors:
        raw_rows = _parquet_records(data, sorted(errors))
    for line, reason in sorted(errors.items()):
        raw = raw_rows.get(line, b"")
        source.rejected.append(Row(line, {}, raw, raw, reason=reason))
    mapping = "; ".join(p.evidence.partition(": ")[2] for p in problems if p.hint)
    source.notes.append(f"a table became chat messages: {mapping}")
    return source


def _parquet_records(data: bytes, numbers: list[int]) -> dict[int, bytes]:
    """Return the records with these numbers (from 1), each as one line of JSON."""
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(data))
    numbers = [n for n in numbers if n <= len(frame)]
    text = frame.iloc[[n - 1 for n in numbers]].to_json(
        orient="records", lines=True, force_ascii=False, default_handler=str
    )
    return dict(zip(numbers, str(text).encode("utf-8", "surrogatepass").split(b"\n"), strict=False))
