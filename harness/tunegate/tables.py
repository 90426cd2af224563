"""CSV and Parquet to rows with `messages`, by a mapping of their columns.

    Dataset.read("tickets.csv", columns={"prompt": "text", "reply": "category"})

A table must be mapped by hand: no column name says for certain which text is the question.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .charset import encoding_finding
from .extras import install_command
from .findings import Finding
from .preferences import REJECTED
from .reader import Row
from .shapes import json_type
from .strictjson import Unreadable
from .turns import assistant_message

Columns = Mapping[str, str]
DELIMITERS = ",;\t|"
REQUIRED_FIELDS, ROLE_OF_FIELD = (
    ("prompt", "reply"),
    {"system": "system", "prompt": "user", "reply": "assistant"},
)
Record = tuple[int, dict[str, Any] | Unreadable]


def read_table_rows(data: bytes, columns: Columns) -> tuple[list[Row], list[Finding]]:
    """Return the rows of a CSV or Parquet file, and a finding for each that is not one.

    `columns` maps `prompt` and `reply` (and `system`, `rejected`, or any other field) to columns;
    `rejected` holds the reply that the other is preferred to. Columns that it does not name are
    kept as fields. A Parquet row's line is its number, from 1. Raises
    ValueError where the mapping lacks a field or names a column that is not there.
    """
    for field in REQUIRED_FIELDS:
        if field not in columns:
            raise ValueError(f"columns has no {field!r}; it must map 'prompt' and 'reply'")
    if encoding_problem := encoding_finding(data):
        return [], [encoding_problem]
    rows: list[Row] = []
    problems: list[Finding] = []
    records = (
        _parquet_records(data, columns) if data.startswith(b"PAR1") else _csv_records(data, columns)
    )
    for line, record in records:
        try:
            rows.append((line, _row_of_record(record, columns)))
        except Unreadable as error:
            problems.append(Finding(None, line, error.kind, error.evidence))
    named = ", ".join(f"{column} as {field}" for field, column in columns.items())
    problems.append(Finding(None, None, "shape", f"read as a table: {named}", hint=True))
    return rows, problems


def _row_of_record(record: dict[str, Any] | Unreadable, columns: Columns) -> dict[str, Any]:
    if isinstance(record, Unreadable):
        raise record
    texts = {
        field: _text_of_column(columns[field], record)
        for field in ROLE_OF_FIELD
        if field in columns
    }
    messages = [{"role": ROLE_OF_FIELD[field], "content": text} for field, text in texts.items()]
    names = {column: field for field, column in columns.items()}
    message_fields = (*ROLE_OF_FIELD, REJECTED)
    rest = {names.get(c, c): v for c, v in record.items() if names.get(c) not in message_fields}
    if REJECTED in columns:
        rest[REJECTED] = [assistant_message(_text_of_column(columns[REJECTED], record))]
    return {**rest, "messages": messages}


def _text_of_column(column: str, record: Mapping[str, Any]) -> str:
    value = record[column]
    if not isinstance(value, str):
        raise Unreadable("shape", f"{column} is {json_type(value)}; a text is needed")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unreadable("encoding", f"{column} is not UTF-8; save the file as UTF-8") from None
    return value


def _check_mapping(columns: Columns, header: list[str]) -> None:
    for field, column in columns.items():
        if column not in header:
            columns_text = ", ".join(map(repr, header[:20]))
            raise ValueError(
                f"columns[{field!r}] is {column!r}; the file has {columns_text or 'no columns'}"
            )


def _csv_records(data: bytes, columns: Columns) -> Iterator[Record]:
    # Undecodable bytes survive as lone surrogates, so that only their own rows are refused.
    text = data.decode("utf-8-sig", "surrogateescape")
    first = text[: text.find("\n")] if "\n" in text else text
    delimiters = (
        d
        for d in DELIMITERS
        if {*columns.values()} <= {*next(csv.reader([first], delimiter=d), [])}
    )
    table = csv.reader(io.StringIO(text, newline=""), delimiter=next(delimiters, ","), strict=True)
    with _lift_field_limit():
        header = next(table, [])
        _check_mapping(columns, header)
        yield from _parse_csv(table, header)


def _parse_csv(table: Any, header: list[str]) -> Iterator[Record]:
    while True:
        line = table.line_num + 1
        try:
            values = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, Unreadable("csv", f"not CSV: {error}; is a quote left open?")
            continue
        if len(values) == len(header):
            yield line, dict(zip(header, values, strict=True))
        elif values:
            count = f"{len(values)} fields, and the header {len(header)}"
            yield line, Unreadable("csv", f"the row has {count}; is a comma or line end unquoted?")


@contextmanager
def _lift_field_limit() -> Iterator[None]:
    """Lift the csv module's limit of 131,072 characters a field, and set it back."""
    previous = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(previous)


def _parquet_records(data: bytes, columns: Columns) -> Iterator[Record]:
    import pandas as pd

    try:
        frame = pd.read_parquet(io.BytesIO(data))
    except ImportError:
        raise ValueError(f"Parquet needs pyarrow: {install_command('parquet')}") from None
    except Exception as error:  # whatever the engine raises for a damaged file
        yield 1, Unreadable("parquet", f"not Parquet: {str(error).partition(chr(10))[0][:100]}")
        return
    _check_mapping(columns, [str(c) for c in frame.columns])
    frame = frame.astype(object).where(frame.notna(), None)
    for number, record in enumerate(frame.to_dict("records"), start=1):
        yield number, {str(column): value for column, value in record.items()}
