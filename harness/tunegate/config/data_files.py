"""The files of the three splits of a session, each read once."""

import re
from collections.abc import Mapping
from pathlib import Path

from ..data import SPLITS
from ..data.dataset import PLAIN_READING, Dataset, Reading
from ..data.json_lines import is_table_data, select_split, split_rows
from ..data.tables import check_data, is_saved_folder, read_saved
from ..errors import ConfigError
from ..utils.files import sha256_bytes
from .schema import Config

_CHAT = re.compile(rb'"messages"\s*:\s*\[')


class DataFiles:
    """The files of the splits; `get` makes a dataset of one at its first call and keeps it."""

    def __init__(
        self,
        paths: dict[str, Path],  # by split
        columns: Mapping[str, str] | None = None,  # by field; left out where all are chat messages
        reading: Reading = PLAIN_READING,  # how the project reads labels, groups and times
    ) -> None:
        self.paths, self.reading = paths, reading
        self._contents = {split: read_saved(path, split) for split, path in paths.items()}
        files = [(path, select_split(self._contents[s], s)) for s, path in paths.items()]
        is_mapped = columns and any(needs_columns(path, data) for path, data in files)
        self.columns = dict(columns or {}) if is_mapped else {}
        for path, data in files:
            check_data(data, path, self.columns)
        self.read: dict[str, Dataset] = {}  # those that were asked for, by split

    def get(self, split: str) -> Dataset:
        """Return the dataset of a split; raises ConfigError where there is none."""
        if split not in self.paths:
            raise ConfigError(f"no {split} data: set data.{split}, or give --{split}-data FILE")
        if split not in self.read:
            data, path = self._contents.pop(split), self.paths[split]
            self.read[split] = Dataset.parse(data, split, path, self.columns, self.reading)
        return self.read[split]

    def keep_from(self, out: Path) -> None:
        """Raise ConfigError for a file to be written that is one of these."""
        if out.resolve() in self.paths.values():
            raise ConfigError(f"-o {out}: it is a file of the project's data; name another")

    def current_digests(self) -> dict[str, str]:
        """Return the sha256 of each split as it is now; "" for a file that is gone."""
        files = self.paths.items()
        return {s: sha256_bytes(read_split(p, s)) if p.exists() else "" for s, p in files}


def find_data_files(
    config: Config, root: Path, given_files: dict[str, str | None], folder: Path
) -> DataFiles:
    """Return the files that the command line names, else those of the configuration.

    The configuration's paths start from `root`, the project's folder; `given_files`, those that an
    option named, by split, from the working directory `folder`. Where all are chat messages,
    `data.columns` is ignored. Raises ConfigError for a missing file, or columns that do not fit it.
    """
    paths: dict[str, Path] = {}
    for split in SPLITS:
        given_file, configured = given_files.get(split), getattr(config.data, split)
        if given_file is None and configured is None:
            continue
        path = (folder / given_file if given_file is not None else root / configured).resolve()
        if not path.is_file() and not is_saved_folder(path):
            source = f"--{split}-data" if given_file is not None else f"data.{split} in {root}"
            raise ConfigError(f"{path} is not a file; it was named by {source}")
        paths[split] = path
    return DataFiles(paths, config.data.columns, config.reading)


def needs_columns(path: Path, data: bytes) -> bool:
    """Tell whether a split is a table, or JSON that does not begin with chat messages."""
    if is_table_data(data, path, mapped=True):
        return True
    _, row = next(split_rows(data), (0, b""))
    return isinstance(row, bytes) and not _CHAT.search(row)


def read_split(path: Path, split: str) -> bytes:
    """Return the bytes of a split: of its file, or of its part of an object or a saved folder."""
    return select_split(read_saved(path, split), split)


def read_file(
    path: Path, columns: Mapping[str, str], split: str = "", reading: Reading = PLAIN_READING
) -> Dataset:
    """Read a file with the configured columns; raises ConfigError where they do not fit it."""
    return DataFiles({split: path}, columns, reading).get(split)


def read_system_prompt(config: Config, root: Path) -> str | None:
    """Return `data.system`'s text less a final line break, None if unset; raises ConfigError."""
    name = config.data.system
    text = None if name is None else read_text(root / name, "data.system")
    return text and text.removesuffix("\n").removesuffix("\r")


def read_text(path: Path, key: str) -> str:
    """Return the whole text of a file that a key names; raises ConfigError."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {path} cannot be read: {error}") from None
