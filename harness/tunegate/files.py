"""Files that appear whole or not at all, and when what stands in them was made."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path


def atomic_write(path: Path | str, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees either what stood there before, or all of `data`.

    The bytes are on the disk when this returns. Folders on the way are made; `mode` (less the
    umask) is the file's, also where it replaces one with another mode. Raises OSError, and leaves
    no half-written file behind, where the disk is full or the place cannot be written to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target: os.replace is atomic only inside one file system.
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    try:
        _write_synced(temporary, data, mode)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def timestamp() -> str:
    """Return the time as records hold it in `made`: ISO 8601, UTC, with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def time_key(path: Path, *told: object) -> tuple[datetime, int]:
    """Return a key that sorts the newest last: the first of the times told, else the file's own.

    A copy, a checkout or a `touch` changes a file's time. So it counts only where a record tells
    none, and between records that tell whole seconds, as those did that were written earlier.
    """
    changed = path.stat().st_mtime_ns
    for one in told:
        try:
            when = datetime.fromisoformat(str(one))
        except ValueError:
            continue
        return when if when.tzinfo else when.replace(tzinfo=UTC), changed
    return datetime.fromtimestamp(changed / 1e9, UTC), changed


def _write_synced(path: Path, data: bytes, mode: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Put the new name itself on the disk: a power cut must not bring the old file back."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot open a folder, and needs no such call
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
