"""Reads CSV and Parquet into rows with `messages`, by a mapping of their columns.

    Dataset.read("tickets.csv", columns={"prompt": "text", "reply": "category"})

The user writes the mapping: no column name says for certain which text is the question.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..results.finding import Finding
from ..utils.optional_deps import install_command, require
from ..utils.strict_json import Unreadable
from .formats import REJECTED, assistant_message, json_type
from .json_lines import NOT_JSON_MAGIC, Row, encoding_finding

Columns = Mapping[str, str]  # by field
Record = tuple[int, dict[str, Any] | Unreadable]  # the first line, from 1, and the values by column

DELIMITERS = ",;\t|"
REQUIRED_FIELDS = ("prompt", "reply")
ROLE_OF_FIELD = {"system": "system", "prompt": "user", "reply": "assistant"}
COLUMNS_EXAMPLE = 'write under [data]: columns = { prompt = "text", reply = "category" }'


def read_table_rows(data: bytes, columns: Columns) -> tuple[list[Row], list[Finding]]:
    """Return the rows of a CSV or Parquet file, and a finding for each record that is not a row.

    Args:
        data: The bytes of the file.
        columns: The column of `prompt` and `reply`, and of `system`, `rejected` (the rejected
            reply of a preference) and any other field. Columns that it does not name are kept as
            fields.

    Returns:
        Each row with its first line; a Parquet row's line is its number, from 1. A hint names the
        mapping.

    Raises:
        ValueError: The mapping lacks a field, or names a column that the file does not have.
    """
    for field in REQUIRED_FIELDS:
        if field not in columns:
            raise ValueError(f"columns has no {field!r}; it must map 'prompt' and 'reply'")
    if encoding_problem := encoding_finding(data):
        return [], [encoding_problem]
    rows: list[Row] = []
    problems: list[Finding] = []
    field_of_column = {column: field for field, column in columns.items()}
    message_fields = (*ROLE_OF_FIELD, REJECTED)
    records = _parquet_records if data.startswith(b"PAR1") else _csv_records
    for line, record in records(data, columns):
        try:
            if isinstance(record, Unreadable):
                raise record
            messages = [
                {"role": role, "content": _text_of_column(columns[field], record)}
                for field, role in ROLE_OF_FIELD.items()
                if field in columns
            ]
            fields = {
                field_of_column.get(column, column): value
                for column, value in record.items()
                if field_of_column.get(column) not in message_fields
            }
            if REJECTED in columns:
                rejected = _text_of_column(columns[REJECTED], record)
                fields[REJECTED] = [assistant_message(rejected)]
            rows.append((line, {**fields, "messages": messages}))
        except Unreadable as error:
            problems.append(Finding(None, line, error.kind, error.evidence))
    mapping = ", ".join(f"{column} as {field}" for field, column in columns.items())
    problems.append(Finding.dataset_hint("shape", f"read as a table: {mapping}"))
    return rows, problems


def _text_of_column(column: str, record: Mapping[str, Any]) -> str:
    value = record[column]
    if not isinstance(value, str):
        raise Unreadable("shape", f"{column} is {json_type(value)}; a text is needed")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unreadable("encoding", f"{column} is not UTF-8; save the file as UTF-8") from None
    return value


def _csv_records(data: bytes, columns: Columns) -> Iterator[Record]:
    # Undecodable bytes survive as lone surrogates, so that only their own rows are refused.
    text = data.decode("utf-8-sig", "surrogateescape")
    delimiter = detect_delimiter(text.partition("\n")[0], columns)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    previous_limit = csv.field_size_limit(2**31 - 1)  # the csv module's own is 131,072 characters
    try:
        header = next(table, [])
        _check_mapping(columns, header)
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
                reason = f"the row has {count}; is a comma or line end unquoted?"
                yield line, Unreadable("csv", reason)
    finally:
        csv.field_size_limit(previous_limit)


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


def _check_mapping(columns: Columns, header: list[str]) -> None:
    for field, column in columns.items():
        if column not in header:
            names = ", ".join(map(repr, header[:20])) or "no columns"
            raise ValueError(f"columns[{field!r}] is {column!r}; the file has {names}")


def detect_delimiter(header: str, columns: Columns | None = None) -> str:
    """Return the delimiter of a CSV file by its first line.

    The first of DELIMITERS that yields all mapped columns; else the one that yields most names.
    """
    names = {d: next(csv.reader([header], delimiter=d), []) for d in DELIMITERS}
    wanted = set((columns or {}).values())
    matching = (d for d in DELIMITERS if wanted and wanted <= {*names[d]})
    return next(matching, max(DELIMITERS, key=lambda d: len(names[d])))


def column_names(path: Path, columns: Columns | None = None) -> list[str]:
    """Return the names of a table's columns; raise ConfigError if the file is not a table.

    `columns`, the mapping if there is one, helps to find the delimiter of a CSV file.
    """
    with path.open("rb") as file:
        first = file.readline()
    if first.startswith(b"PAR1"):
        try:
            schema = require("pyarrow.parquet", "parquet").read_schema(path)
        except ImportError as error:
            raise ConfigError(f"{path} is Parquet: {error}") from None
        except Exception as error:  # whatever pyarrow raises for a damaged file
            reason = str(error).partition(". ")[0]
            raise ConfigError(f"{path} is not Parquet: {reason}") from None
        return [str(name) for name in schema.names]
    for magic, message in NOT_JSON_MAGIC.items():
        if first.startswith(magic):
            raise ConfigError(f"{path}: {message}")
    try:
        header = first.decode("utf-8-sig")
    except UnicodeDecodeError:
        message = "its first line, the names of the columns, is not UTF-8"
        raise ConfigError(f'{path}: {message}; save it as "CSV UTF-8"') from None
    return next(csv.reader([header], delimiter=detect_delimiter(header, columns)), [])
