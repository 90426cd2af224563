"""CSV and Parquet to rows with `messages`, by a mapping of their columns.

    Dataset.read("tickets.csv", columns={"prompt": "text", "reply": "category"})

A table must be mapped by hand: no column name says for certain which text is the question.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..results.finding import Finding
from ..utils.optional_deps import install_command, require
from ..utils.strict_json import Unreadable
from ..utils.text import did_you_mean
from .formats import REJECTED, assistant_message, json_type
from .json_lines import NOT_JSON_MAGIC, Row
from .text_encoding import check_encoding, encoding_finding

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


# [merged] Which columns of a CSV or Parquet file become messages: looked at before the first test.

COLUMNS_EXAMPLE = 'write under [data]: columns = { prompt = "text", reply = "category" }'
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")


def check_columns(path: Path, columns: Mapping[str, str]) -> None:
    """Raise ConfigError where a file and `data.columns` do not belong together.

    So too where the file, JSON or a table, is in another encoding than UTF-8.
    """
    check_encoding(path)
    if not is_table(path, bool(columns)):
        if columns:
            message = f"{path} is JSON, and data.columns is for CSV and Parquet"
            raise ConfigError(f"{message}: take the columns out, or name tables for all splits")
        return
    names = column_names(path, columns)
    columns_line = f"{path} has the columns {', '.join(names[:20]) or '(none)'}"
    if not columns:
        raise ConfigError(
            f"{columns_line}\nsay which of them is the prompt, and which the reply; {COLUMNS_EXAMPLE}"
        )
    for field, column in columns.items():
        if column not in names:
            message = (
                f"data.columns.{field} = {column!r}: no such column{did_you_mean(column, names)}"
            )
            raise ConfigError(f"{message}\n{columns_line}")


def is_table(path: Path, mapped: bool = False) -> bool:
    """Tell CSV and Parquet by name or first bytes; a `mapped` file is one unless it is JSON."""
    with path.open("rb") as file:
        head = file.read(1024)
    if path.suffix.lower() in TABLE_SUFFIXES or head.startswith(b"PAR1"):
        return True
    return mapped and not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"["))


def column_names(path: Path, columns: Mapping[str, str] | None = None) -> list[str]:
    """Return the names of a table's columns; raises ConfigError where it is no table.

    Among delimiters the one that brings all of `columns` to light wins, else the one that brings
    the most.
    """
    with path.open("rb") as file:
        first = file.readline()
    if first.startswith(b"PAR1"):
        return _parquet_column_names(path)
    for magic, message in NOT_JSON_MAGIC.items():
        if first.startswith(magic):
            raise ConfigError(f"{path}: {message}")
    try:
        text = first.decode("utf-8-sig")
    except UnicodeDecodeError:
        message = "its first line, the names of the columns, is not UTF-8"
        raise ConfigError(f'{path}: {message}; save it as "CSV UTF-8"') from None
    candidates = [next(csv.reader([text], delimiter=d), []) for d in DELIMITERS]
    wanted_names = set((columns or {}).values())
    return next(
        (names for names in candidates if wanted_names and wanted_names <= {*names}),
        max(candidates, key=len),
    )


def _parquet_column_names(path: Path) -> list[str]:
    try:
        schema = require("pyarrow.parquet", "parquet").read_schema(path)
    except ImportError as error:
        raise ConfigError(f"{path} is Parquet: {error}") from None
    except Exception as error:  # whatever pyarrow raises for a damaged file
        raise ConfigError(f"{path} is not Parquet: {str(error).partition('. ')[0]}") from None
    return [str(name) for name in schema.names]
