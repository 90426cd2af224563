"""Reads CSV and Parquet into rows with `messages`, by a mapping of columns or by their shape.

    Dataset.read("tickets.csv", columns={"prompt": "text", "reply": "category"})

Where columns have the names of a known shape (docs/data-formats.md), no mapping is needed.

Data sets of Hugging Face's library `datasets` are read without importing it. One in memory is known
by what it has (`features`, `column_names`); a folder that `save_to_disk` wrote, by its
`state.json`, which names files in Arrow's streaming format. One with several splits has a folder
for each and a `dataset_dict.json`. The number of a `ClassLabel` is read as the name of its class.
"""

import csv
import io
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..results.finding import Finding
from ..utils.optional_deps import install_command, require
from ..utils.strict_json import Unreadable
from ..utils.text import did_you_mean, error_names
from . import json_lines
from .formats import columns_advice, find_format, to_messages
from .formats.columns import Columns, map_columns, mapped_columns, mapped_format, missing_columns
from .formats.row_format import Fields, RowFormat
from .json_lines import NOT_JSON_MAGIC, SPLIT_NAMES, Row, encoding_finding, format_hints, read_each

Record = tuple[int, dict[str, Any] | Unreadable]  # the first line, from 1, and the values by column

DELIMITERS = ",;\t|"
_DELIMITER_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)  # Excel's, above the header


def read_table_rows(data: bytes, columns: Columns) -> tuple[list[Row], list[Finding]]:
    """Return the rows of a CSV or Parquet file, and a finding for each record that is not a row.

    A row has its first line, of Parquet its number, from 1. `columns` has the column of `prompt`
    and `reply`, or of `messages`, and of `system`, `rejected` (the rejected reply of a preference)
    and any other field; a hint names it. Columns that it does not name are kept as fields. If it is
    empty, the columns are those of a known shape. Raises ValueError where it lacks a field, or
    names a column that the file does not have.
    """
    if columns and (missing := missing_columns(columns)):
        raise ValueError(f"columns has no {missing[0]!r}; it must map 'prompt' and 'reply'")
    if encoding_problem := encoding_finding(data):
        return [], [encoding_problem]
    records = _parquet_records if data.startswith(b"PAR1") else _csv_records

    def read(record: dict[str, Any], line: int) -> tuple[RowFormat, Fields]:
        if columns:
            return mapped_format(columns), map_columns(record, columns)
        return to_messages(record)

    rows, problems, formats = read_each(records(data, columns), read)
    if columns:
        evidence = f"read as a table: {mapped_format(columns).hint}"
        return rows, [*problems, Finding.dataset_hint("shape", evidence)]
    return rows, [*problems, *format_hints(formats)]


def _csv_records(data: bytes, columns: Columns) -> Iterator[Record]:
    # Undecodable bytes survive as lone surrogates, so that only their own rows are refused.
    text = data.decode("utf-8-sig", "surrogateescape")
    named = _DELIMITER_LINE.match(text)
    text = text[named.end() :] if named else text
    delimiter = named[1] if named else detect_delimiter(text.partition("\n")[0], columns)
    previous_limit = csv.field_size_limit(2**31 - 1)  # the csv module's own is 131,072 characters
    try:
        table = csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter, strict=True,
            quoting=csv.QUOTE_NONE if _is_unquoted(text, delimiter) else csv.QUOTE_MINIMAL,
        )  # fmt: skip
        cells = next(table, [])
        header = _names(cells, columns)
        if twice := next((name for name in header if name and header.count(name) > 1), ""):
            yield 1, Unreadable("csv", f"the header has the column {twice!a} twice; rename one")
            return
        if header != cells:
            yield 2 if named else 1, dict(zip(header, cells, strict=True))
        _check_mapping(columns, header)
        while True:
            line = table.line_num + (2 if named else 1)
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
                count = f"the row has {len(values)} fields, and the header {len(header)}"
                yield line, Unreadable("csv", f"{count}; is a comma or line end unquoted?")
    finally:
        csv.field_size_limit(previous_limit)


def _is_unquoted(text: str, delimiter: str) -> bool:
    """Tell whether quotes are letters, by the standard of TSV: not each line is a CSV record."""
    lines = [line for line in text.split("\n") if line.strip()]
    if delimiter != "\t" or '"' not in text or len({line.count("\t") for line in lines}) > 1:
        return False
    try:
        table = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
        return sum(map(bool, table)) < len(lines)
    except csv.Error:
        return True


def _names(cells: list[str], columns: Columns) -> list[str]:
    """Return the names in the first line; the numbers of the columns where a mapping has these."""
    wanted = {column for _, column in mapped_columns(columns)}
    is_numbered = wanted and not wanted & {*cells} and all(c.isdecimal() for c in wanted)
    return [str(n) for n in range(1, len(cells) + 1)] if is_numbered else cells


def _parquet_records(data: bytes, columns: Columns) -> Iterator[Record]:
    try:
        parquet = require("pyarrow.parquet", "parquet")
    except ImportError:
        raise ValueError(f"Parquet needs pyarrow: {install_command('parquet')}") from None
    try:
        table = parquet.read_table(io.BytesIO(data))
    except Exception as error:  # whatever pyarrow raises for a damaged file
        yield 1, Unreadable("parquet", f"not Parquet: {str(error).partition(chr(10))[0][:100]}")
        return
    index = (table.schema.pandas_metadata or {}).get("index_columns", ())  # it is no field of a row
    table = table.drop_columns([name for name in table.column_names if name in index])
    _check_mapping(columns, table.column_names)
    names: dict[str, tuple[str, ...]] = {}
    with suppress(Exception):  # no metadata of Hugging Face's library
        info = json.loads((table.schema.metadata or {})[b"huggingface"])
        names = class_names(info["info"]["features"])
    for number, record in enumerate(table.to_pylist(), start=1):
        # NaN is what pandas writes for nothing.
        values = {column: None if value != value else value for column, value in record.items()}
        yield number, {c: name_class(value, names.get(c, ())) for c, value in values.items()}


def class_names(features: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the names of the classes of each column that has some; `features` as in JSON.

    Those of a list of classes stand in its `feature`, in older files as the only item of a list.
    """
    inner = {c: f[0] if isinstance(f, list) and f else f for c, f in features.items()}
    inner = {c: f.get("feature", f) if isinstance(f, dict) else f for c, f in inner.items()}
    named = {c: f.get("names") for c, f in inner.items() if isinstance(f, dict)}
    return {c: tuple(map(str, names)) for c, names in named.items() if isinstance(names, list)}


def name_class(value: Any, names: tuple[str, ...]) -> Any:
    """Return the name of a class by its number, of a list each; a value without a name as it is."""
    if isinstance(value, list):
        return [name_class(item, names) for item in value]
    has_name = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names)
    return names[value] if has_name else value


def _check_mapping(columns: Columns, header: list[str]) -> None:
    for field, column in mapped_columns(columns):
        if column not in header:
            names = ", ".join(map(repr, header[:20])) or "no columns"
            raise ValueError(f"columns[{field!r}] is {column!r}; the file has {names}")


def detect_delimiter(header: str, columns: Columns | None = None) -> str:
    """Return the delimiter of a CSV file by its first line.

    The first that yields all mapped columns; else a tab, which no name holds, or what yields most.
    """
    names = {d: next(csv.reader([header], delimiter=d), []) for d in DELIMITERS}
    wanted = {column for _, column in mapped_columns(columns or {})}
    matching = (d for d in DELIMITERS if wanted and wanted <= {*names[d]})
    usual = "\t" if len(names["\t"]) > 1 else max(DELIMITERS, key=lambda d: len(names[d]))
    return next(matching, usual)


def column_names(data: bytes, path: Path, columns: Columns | None = None) -> list[str]:
    """Return the column names of a file's bytes, by the mapping `columns`; or ConfigError."""
    file = io.BytesIO(data)
    first = file.readline()
    named = _DELIMITER_LINE.match(first.decode("latin-1").removeprefix("\xef\xbb\xbf"))
    first = file.readline() if named else first
    if first.startswith(b"PAR1"):
        try:
            schema = require("pyarrow.parquet", "parquet").read_schema(file)
        except ImportError as error:
            raise ConfigError(f"{path} is Parquet: {error}") from None
        except Exception as error:  # whatever pyarrow raises for a damaged file
            raise ConfigError(f"{path} is not Parquet: {str(error).partition('. ')[0]}") from None
        return [str(name) for name in schema.names]
    for magic, message in NOT_JSON_MAGIC.items():
        if first.startswith(magic):
            raise ConfigError(f"{path}: {message}")
    try:
        header = first.decode("utf-8-sig")
    except UnicodeDecodeError:
        message = "its first line, the names of the columns, is not UTF-8"
        raise ConfigError(f'{path}: {message}; save it as "CSV UTF-8"') from None
    delimiter = named[1] if named else detect_delimiter(header, columns)
    return _names(next(csv.reader([header], delimiter=delimiter), []), columns or {})


def check_data(data: bytes, path: Path, columns: Mapping[str, str]) -> None:
    """Raise ConfigError unless a split is UTF-8, and its table has the columns or a known shape."""
    if detected := json_lines.detect_wrong_encoding(data, str(path)):
        raise ConfigError(f"{path}: {detected[1]}:\n  {detected[2]}")
    if not json_lines.is_table_data(data, path, bool(columns)):
        return
    names = column_names(data, path, columns)
    columns_line = f"{path} has the columns {', '.join(names[:20]) or '(none)'}"
    if not columns and (advice := shape_advice(data, names)):
        message = "say which of them is the prompt, and which the reply, in tunegate.toml"
        raise ConfigError(f"{columns_line}\n{message}; {advice}")
    for field, column in mapped_columns(columns):
        if column not in names:
            hint = did_you_mean(column, names)
            message = f"data.columns.{field} = {column!r}: no such column{hint}"
            raise ConfigError(f"{message}\n{columns_line}")


def shape_advice(data: bytes, names: list[str]) -> str:
    """Return "" if a table with these columns has a known shape, else the line to configure."""
    row: Any = dict.fromkeys(names, "")
    if find_format(row):
        return ""
    records = _parquet_records if data.startswith(b"PAR1") else _csv_records
    first = [record for _, record in islice(records(data, {}), 200) if isinstance(record, dict)]
    # Labels that a column has for its name are of a table without a header; one may be by chance.
    repeats = sum(0 < sum(n == r[n] for n in names if n) < len(names) for r in first)
    if repeats > len(first) / 100:
        return columns_advice({"1": ""})
    return columns_advice((first or [row])[0])


def hf_json_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows or a `datasets.Dataset` as JSON Lines; ValueError for splits, non-JSON values."""
    if isinstance(rows, Mapping):
        names = ", ".join(map(str, rows))
        raise ValueError(f"these are several splits ({names}); give one: Dataset.of(data['train'])")
    features = getattr(rows, "features", None) or {}
    # A ClassLabel has `names`, and so has its form in JSON; a list has its `feature`.
    inner = {column: getattr(f, "feature", f) for column, f in features.items()}
    forms = {column: {"names": getattr(f, "names", None)} for column, f in inner.items()}
    return to_json_lines(rows, class_names(forms))


def to_json_lines(rows: Iterable[Mapping[str, Any]], names: Mapping[str, tuple[str, ...]]) -> bytes:
    """Return rows as JSON Lines; `names` has those of the classes, by column."""
    named = ({c: name_class(v, names.get(c, ())) for c, v in row.items()} for row in rows)
    return "\n".join(json.dumps(row, default=_to_json_value) for row in named).encode()


def _to_json_value(value: Any) -> Any:
    """Return bytes as a data URL, a date as its ISO text, an array as a list."""
    if isinstance(value, bytes):
        return "data:;base64," + b64encode(value).decode()
    for method in ("isoformat", "tolist"):
        if hasattr(value, method):
            return getattr(value, method)()
    advice = "leave the column out, or cast it: cast_column(NAME, Image(decode=False))"
    raise ValueError(f"a row holds {type(value).__name__}, which JSON lacks; {advice}")


def is_saved_folder(path: Path) -> bool:
    """Tell whether a path is a folder that `save_to_disk` wrote."""
    return any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))


def read_saved(path: Path, split: str) -> bytes:
    """Return a file's bytes, or a saved folder's rows as JSON Lines; ConfigError, OSError."""
    if not path.is_dir():
        with error_names(path):
            return path.read_bytes()
    folder = _split_folder(path, split)
    try:
        info = json.loads((folder / "dataset_info.json").read_bytes())
        files = json.loads((folder / "state.json").read_bytes())["_data_files"]
        names = class_names(info.get("features") or {})
        return to_json_lines(_arrow_rows(folder / f["filename"] for f in files), names)
    except ImportError as error:
        raise ConfigError(f"{path} holds Arrow files: {error}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"{path} is no folder that save_to_disk wrote: {reason}") from None


def _split_folder(path: Path, split: str) -> Path:
    if not (path / "dataset_dict.json").is_file():
        return path
    found = json.loads((path / "dataset_dict.json").read_bytes())["splits"]
    names = (name for name in SPLIT_NAMES.get(split, ()) if name in found)
    if name := next(names, found[0] if len(found) == 1 else None):
        return path / str(name)
    asked = f"{split or 'no split'} was asked for"
    raise ConfigError(f"{path} has the splits {', '.join(found)}; {asked}")


def _arrow_rows(files: Iterable[Path]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of files in Arrow's streaming format."""
    arrow = require("pyarrow", "parquet")
    for file in files:
        with arrow.memory_map(str(file)) as source, arrow.ipc.open_stream(source) as reader:
            for batch in reader:
                yield from batch.to_pylist()
