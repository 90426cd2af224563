"""The three splits of a session: which files they are, each read once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.dataset import SPLITS, Dataset
from ..data.tables import check_columns, is_table
from ..errors import ConfigError

if TYPE_CHECKING:
    from .schema import Config


class DataFiles:
    """Paths by split; a dataset is read when it is first asked for.

    `columns` maps those of CSV or Parquet files; it is empty where the files are JSON.
    """

    def __init__(self, paths: dict[str, Path], columns: Mapping[str, str] | None = None) -> None:
        self.paths, self.columns = paths, dict(columns or {})
        self._read: dict[str, Dataset] = {}

    def get(self, split: str) -> Dataset:
        """Return the dataset of a split; raises ConfigError where there is none."""
        if split not in self.paths:
            raise ConfigError(f"no {split} data: set data.{split}, or give --{split}-data FILE")
        if split not in self._read:
            self._read[split] = Dataset.read(self.paths[split], split, self.columns)
        return self._read[split]

    def read_digests(self) -> dict[str, str]:
        """Return the sha256 of what was read, by split; nothing is read for it."""
        return {split: dataset.digest for split, dataset in self._read.items()}

    def current_digests(self) -> dict[str, str]:
        """Return the sha256 of what the files hold now, by split; "" for one that is gone."""
        return {s: _file_sha256(p) if p.is_file() else "" for s, p in self.paths.items()}


def find_data_files(
    config: Config, root: Path, given_files: dict[str, str | None], folder: Path
) -> DataFiles:
    """Find the files: what the command line gave (from `folder`), else the configuration (`root`).

    Where all files are JSON, `data.columns` says nothing of them. Raises ConfigError naming a file
    that is not there, and who named it, or one that `data.columns` does not fit.
    """
    paths: dict[str, Path] = {}
    for split in SPLITS:
        given_file, configured = given_files.get(split), getattr(config.data, split)
        if given_file is None and configured is None:
            continue
        path = (folder / given_file if given_file is not None else root / configured).resolve()
        if not path.is_file():
            source = f"--{split}-data" if given_file is not None else f"data.{split} in {root}"
            raise ConfigError(f"{path} is not a file; it was named by {source}")
        paths[split] = path
    columns = config.data.columns
    if not any(is_table(path, bool(columns)) for path in paths.values()):
        columns = {}  # cleaned tables are JSON Lines: nothing is left to map
    for path in paths.values():
        check_columns(path, columns)
    return DataFiles(paths, columns)


def read_system_prompt(config: Config, root: Path) -> str | None:
    """Return what the file `data.system` holds, to the last character; None where none is named.

    Raises ConfigError where it cannot be read.
    """
    if config.data.system is None:
        return None
    path = root / config.data.system
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"data.system: {path} cannot be read: {error}") from None


def _file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
