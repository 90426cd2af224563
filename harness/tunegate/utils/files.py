"""Files and folders that are written whole or not at all, and SHA-256 digests as hex digits."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def atomic_write(path: Path | str, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees either its former content, or all of `data`."""
    with atomic_file(Path(path), mode) as file:
        file.write(data)


def copy_verified(
    source: Path, target: Path, digest: str, *, mode: int = 0o600, remedy: str = ""
) -> None:
    """Copy a file, whole or not at all; raises ValueError where its bytes have another sha256."""
    digest_read = hashlib.sha256()
    with open(source, "rb") as read, atomic_file(target, mode) as file:
        while chunk := read.read(1 << 20):
            digest_read.update(chunk)
            file.write(chunk)
        if digest_read.hexdigest() != digest:
            raise ValueError(f"{source} is damaged: its sha256 is not {digest}{remedy}")


@contextmanager
def atomic_file(path: Path, mode: int) -> Iterator[IO[bytes]]:
    """Yield a file to write, which takes the place of the one at `path` at the end of the block.

    The bytes are on the disk then. Folders above the file are made; it has `mode`, less the umask,
    also where it replaces another. OSError, or one of the block, leaves no half-written file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target: os.replace is atomic only inside one file system.
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):  # that of a full disk names no file
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        raise
    # The new name must be on the disk too: a power cut must not bring the old file back.
    if hasattr(os, "O_DIRECTORY"):  # Windows cannot open a folder, and needs no such call
        handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def atomic_write_all(files: Mapping[Path, bytes]) -> None:
    """Write all files, or none, first under temporary names; raises OSError."""
    token = secrets.token_hex(4)
    temporary_files = {path: path.with_name(f".{path.name[:100]}.{token}") for path in files}
    try:
        for path, data in files.items():
            try:
                atomic_write(temporary_files[path], data)
            except OSError as error:
                reason = error.strerror or error
                raise OSError(f"{path} cannot be written: {reason}; nothing was written") from None
        for path, temporary in temporary_files.items():
            os.replace(temporary, path)
    finally:
        for temporary in temporary_files.values():
            if temporary.exists():  # unlink fails where a folder above is a file
                temporary.unlink()


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty draft folder, renamed to `folder` at the end, or removed after an error."""
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes, which are streamed; raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# A JSON value has three spellings, for ids and digests on disk were made with each of them: which
# one a record uses can no longer change. New records use `sha256_json`.


def canonical_json(value: Any) -> bytes:
    """Return the JSON of a value with sorted keys and without white space, as UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON: run ids, receipts, scorecards, answers."""
    return sha256_bytes(canonical_json(value))


def sha256_spaced_json(value: Any) -> str:
    """Return the SHA-256 of a value's JSON with spaces after `,` and `:`: digests of models."""
    return sha256_bytes(json.dumps(value, sort_keys=True, ensure_ascii=False).encode())


def sha256_ascii_json(value: Any) -> str:
    """Return the SHA-256 of a value's ASCII JSON, dates as `str`: ids of rows and findings."""
    return sha256_bytes(json.dumps(value, sort_keys=True, default=str).encode())
