"""The state tree `.tunegate/`: its paths, snapshots of data, and JSON files sealed with its key."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..utils.atomic import atomic_write
from ..utils.hashing import canonical_json, sha256_bytes

if TYPE_CHECKING:
    from ..data.dataset import Dataset


class SealBroken(Exception):
    """A file is missing, was not written by this state tree, or was changed since."""


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

    @property
    def key(self) -> bytes:
        """The 32 random bytes that this state tree seals with, made at first use, mode 0600."""
        return key_file_content(self.path("key"))

    def write_sealed(self, path: Path, body: Mapping[str, Any]) -> None:
        """Write a JSON file with its HMAC under the key `seal`, atomically, mode 0600."""
        sealed = {**body, "seal": seal_of(body, self.key)}
        text = json.dumps(sealed, indent=2, ensure_ascii=False, sort_keys=True)
        atomic_write(path, text.encode() + b"\n", mode=0o600)

    def read_sealed(self, path: Path, remedy: str = "") -> dict[str, Any]:
        """Return what `write_sealed` wrote; raises SealBroken with the `remedy`, or that of a run."""
        try:
            body: dict[str, Any] = json.loads(path.read_bytes())
            seal = body.pop("seal")
        except FileNotFoundError:
            raise SealBroken(f"{path} is missing: no gate opened for this run") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SealBroken(f"{path} was not written by tunegate") from None
        if not isinstance(seal, str) or not hmac.compare_digest(seal, seal_of(body, self.key)):
            remedy = remedy or f"restore it, or remove {path.parent} and run the data suite again"
            changed = "was not written by a gate of this state tree, or was changed since"
            raise SealBroken(f"{path} {changed}; {remedy}")
        return body

    def sign(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body with the HMAC of this state tree, and the name of the key of it."""
        named = {**body, "signed_by": sha256_bytes(self.key)[:12]}
        return {**named, "seal": seal_of(named, self.key)}

    def verify_signed(self, body: Mapping[str, Any]) -> None:
        """Raise SealBroken where this state tree signed the body and it was changed since."""
        path = self.folder / "key"
        if "signed_by" not in body or not path.is_file():
            return
        key = path.read_bytes()
        unsealed = {name: value for name, value in body.items() if name != "seal"}
        is_ours = body["signed_by"] == sha256_bytes(key)[:12]
        if is_ours and body.get("seal") != seal_of(unsealed, key):
            raise SealBroken("it is not as tunegate wrote it here: it was edited since")


def seal_of(body: Any, key: bytes) -> str:
    """Return the HMAC-SHA256 of the canonical JSON."""
    return hmac.new(key, canonical_json(body), hashlib.sha256).hexdigest()


def read_unverified(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file, its seal not verified; {} where it holds no object."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def key_file_content(path: Path) -> bytes:
    """Return the key in this file, made at first use: by one of the processes that want it."""
    if not path.exists():
        from filelock import FileLock

        with FileLock(path.with_name("key.lock"), mode=0o600):
            if not path.exists():
                atomic_write(path, os.urandom(32), mode=0o600)
    return path.read_bytes()
