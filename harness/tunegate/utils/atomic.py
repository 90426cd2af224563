"""Files that appear whole or not at all, and when what stands in them was made."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
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


# [merged] All files of one call, or none: written beside their places first, then put there.

PRIVATE_MODE = 0o600  # what was set aside is raw data, and may hold what the result no longer does


def atomic_write_all(files: Mapping[Path, bytes | None], private: Collection[Path] = ()) -> None:
    """Write the files in their order; None removes one that an earlier call left there.

    Raises OSError where one cannot be written; then none is.
    """
    token = secrets.token_hex(4)
    to_write = {path: data for path, data in files.items() if data is not None}
    temporary_files = {path: path.with_name(f".{path.name[:100]}.{token}") for path in to_write}
    try:
        for path, data in to_write.items():
            _write_temporary(
                path, temporary_files[path], data, PRIVATE_MODE if path in private else 0o644
            )
        for path, temporary in temporary_files.items():
            os.replace(temporary, path)
    finally:
        for temporary in temporary_files.values():
            if temporary.exists():
                temporary.unlink()
    for path in files.keys() - to_write.keys():
        path.unlink(missing_ok=True)


def _write_temporary(path: Path, temporary: Path, data: bytes, mode: int) -> None:
    try:
        atomic_write(temporary, data, mode=mode)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"{path} cannot be written: {reason}; nothing was written") from None


# [merged] A folder that appears whole or not at all.


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Give a draft to fill, which takes the folder's name when the block ends well.

    What an earlier attempt left is removed first; what an error leaves is removed at once.
    """
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
