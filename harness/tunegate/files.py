"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(path: Path | str, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees either what stood there before, or all of `data`.

    The bytes are on the disk when this returns. Folders on the way are made; `mode` (less the
    umask) is the file's, also where it replaces one with another mode. Raises OSError, and leaves
    no half-written file behind, where the disk is full or the place cannot be written to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target: os.replace is atomic only inside one file system.
    beside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    try:
        _write(beside, data, mode)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _settle(path.parent)


def _write(path: Path, data: bytes, mode: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """Put the new name itself on the disk: a power cut must not bring the old file back."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot open a folder, and needs no such call
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
