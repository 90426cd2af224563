"""Rows of CSV and Parquet; a record that cannot be read is set aside as it stands in the file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from tunegate.strictjson import Unreadable
from tunegate.tables import read_table_rows

from .source import Rejected, Row, Source, to_json_line


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
