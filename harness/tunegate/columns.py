"""Which columns of a CSV or Parquet file become messages: looked at before the first test."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from .charset import check_encoding
from .extras import require
from .project import ConfigError, did_you_mean
from .reader import NOT_JSON_MAGIC
from .tables import DELIMITERS

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
