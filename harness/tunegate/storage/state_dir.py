"""Finds and makes the paths of the state tree `.tunegate/`, and keeps snapshots of data in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..utils.atomic import atomic_write
from ..utils.hashing import sha256_bytes

if TYPE_CHECKING:
    from ..data.dataset import Dataset


class StateDir:
    """The folder `.tunegate` of a project, which can hold personal data.

    Only its user can read it (folders 0700, files 0600); a .gitignore in it keeps it out of git.
    Cached answers asked for before `answers_since`, in seconds since 1970, are not used.
    """

    answers_since = 0.0

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".tunegate"

    def check(self) -> None:
        """Raise ConfigError where the folder can be neither used nor made."""
        if os.path.lexists(self.folder) and not self.folder.is_dir():
            what = "links to no folder" if self.folder.is_symlink() else "is a file"
            raise ConfigError(f"{self.folder} {what}: remove it, or make it a folder")

    def path(self, *parts: str) -> Path:
        """Return a path below the folder; missing parent folders are made, mode 0700."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            atomic_write(ignore, b"# Made by tunegate; may hold personal data.\n*\n", mode=0o600)
        path = self.folder.joinpath(*parts)
        missing = [p for p in path.parents if not p.exists()]
        for parent in reversed(missing):
            parent.mkdir(mode=0o700, exist_ok=True)
        return path

    @property
    def runs(self) -> Path:
        """The folder that holds the folders of all runs; it need not exist."""
        return self.folder / "runs"

    def snapshot_path(self, digest: str) -> Path:
        """Return the path of the snapshot with this sha256; it need not exist."""
        return self.folder / "snapshots" / f"{digest}.jsonl"

    def store_snapshot(self, data: bytes) -> Path:
        """Write bytes to a file named after their sha256, unless it is there; return its path."""
        digest = sha256_bytes(data)
        path = self.path("snapshots", f"{digest}.jsonl")
        if not path.exists():
            atomic_write(path, data, mode=0o600)
        return path

    def read_snapshot(
        self, digest: str, split: str = "", columns: Mapping[str, str] | None = None
    ) -> Dataset:
        """Read a snapshot, a table by its `columns`; raises ValueError where it was changed."""
        from ..data.dataset import Dataset

        return Dataset.read(self.snapshot_path(digest), split, columns)
