"""All files of one call, or none: written beside their places first, then put there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path

from tunegate.files import atomic_write

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
