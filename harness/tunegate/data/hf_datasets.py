"""Reads data sets of Hugging Face's library `datasets`, without importing it.

A data set in memory is known by what it has (`features`, `column_names`); a folder that
`save_to_disk` wrote, by its `state.json`, which names files in Arrow's streaming format. One with
several splits has a folder for each and a `dataset_dict.json`. Numbers of a `ClassLabel` are read
as the names of their classes.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..utils.optional_deps import require
from ..utils.text import error_names
from .json_lines import SPLIT_NAMES
from .tables import class_names, name_class


def hf_json_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows in memory, or those of a `datasets.Dataset`, as JSON Lines.

    Raises ValueError for a dictionary of splits, and for values that JSON lacks (decoded images).
    """
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
    """Return the bytes of a file; of a folder that `save_to_disk` wrote, its rows as JSON Lines.

    Raises ConfigError where the folder has no such split or cannot be read, OSError for a file.
    """
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
