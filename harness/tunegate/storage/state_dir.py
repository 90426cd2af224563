"""The state tree `.tunegate/`: snapshots, runs and answers; it can hold personal data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..data.dataset import Dataset
from ..utils.atomic import atomic_write
from ..utils.hashing import sha256_bytes


class StateDir:
    """The folder `.tunegate` of a project: private to its user, ignored by git of itself."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".tunegate"

    @classmethod
    def above(cls, run: Path) -> StateDir:
        """Return the state tree that a run's folder lies in: the other way of `runs`."""
        return cls(run.parents[2])

    def ensure(self) -> StateDir:
        """Make the folder where it is missing, mode 0700."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            atomic_write(ignore, b"# Made by tunegate; may hold personal data.\n*\n", mode=0o600)
        return self

    def path(self, *parts: str) -> Path:
        """Return a path inside, its parent folders made, mode 0700."""
        path = self.ensure().folder.joinpath(*parts)
        missing = [p for p in path.parents if not p.exists()]
        for parent in reversed(missing):
            parent.mkdir(mode=0o700, exist_ok=True)
        return path

    @property
    def runs(self) -> Path:
        """The folder of the runs; it need not exist."""
        return self.folder / "runs"

    def snapshot_path(self, digest: str) -> Path:
        """Where the snapshot of these bytes stands, if it was kept."""
        return self.folder / "snapshots" / f"{digest}.jsonl"

    def store_snapshot(self, data: bytes) -> Path:
        """Keep a content-addressed snapshot of these bytes; keeping them again does nothing."""
        digest = sha256_bytes(data)
        path = self.path("snapshots", f"{digest}.jsonl")
        if not path.exists():
            atomic_write(path, data, mode=0o600)
        return path

    def read_snapshot(
        self, digest: str, split: str = "", columns: Mapping[str, str] | None = None
    ) -> Dataset:
        """Read a snapshot back; raises ValueError when its bytes are not those of its name.

        `columns` says how the bytes become rows, where they are those of a table.
        """
        dataset = Dataset.read(self.snapshot_path(digest), split, columns)
        if dataset.digest != digest:
            raise ValueError(f"snapshot {dataset.path} was changed: its digest is {dataset.digest}")
        return dataset
