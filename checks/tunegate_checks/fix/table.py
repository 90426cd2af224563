"""Rows of CSV and Parquet; a record that cannot be read is set aside as it stands in the file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from tunegate.strictjson import Unreadable
from tunegate.tables import read_table

from .source import Aside, Row, Source, written


def read_rows(path: Path, columns: Mapping[str, str]) -> Source:
    """Return the rows of a table as chat messages; every one of them is written anew."""
    data = path.read_bytes()
    rows, problems = read_table(data, columns)
    source = Source(path)
    bad = {p.line: p.evidence for p in problems if p.line is not None}
    parquet = data.startswith(b"PAR1")
    if not parquet:
        source.suffix, source.head = path.suffix, data.partition(b"\n")[0] + b"\n"
    raws = {} if parquet else _lines(data, [*bad, *(line for line, _ in rows)])
    for line, fields in rows:
        try:
            # What pandas returns for numbers and dates is nothing that JSON knows.
            plain = json.loads(json.dumps(fields, default=_plain))
            raw = written(plain)
            source.rows.append(Row(line, plain, raw, raws.get(line, raw)))
        except Unreadable as error:
            bad[line] = str(error)
    if parquet and bad:
        raws = _records(data, sorted(bad))
    source.aside = [Aside(line, raws.get(line, b""), bad[line]) for line in sorted(bad)]
    named = ", ".join(f"{column} as {field}" for field, column in columns.items())
    source.notes.append(f"a table became chat messages: {named}")
    return source


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _lines(data: bytes, starts: list[int]) -> dict[int, bytes]:
    """Return what stands from the first line of each record to the first of the next."""
    lines = data.split(b"\n")
    ordered = [*sorted(starts), len(lines) + 1]
    pairs = pairwise(ordered)
    return {a: b"\n".join(lines[a - 1 : b - 1]).rstrip(b"\r\n") for a, b in pairs}


def _records(data: bytes, numbers: list[int]) -> dict[int, bytes]:
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(data))
    kept = (n for n in numbers if n <= len(frame))
    return {n: _record(frame.iloc[[n - 1]]) for n in kept}


def _record(frame: Any) -> bytes:
    text = frame.to_json(orient="records", lines=True, force_ascii=False, default_handler=str)
    return str(text).rstrip("\n").encode("utf-8", "surrogatepass")
