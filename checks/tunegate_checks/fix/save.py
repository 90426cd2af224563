"""All files of one call, or none: written beside their places first, then put there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path

from tunegate.files import write_whole

PRIVATE = 0o600  # what was set aside is raw data, and may hold what the result no longer does


def save(files: Mapping[Path, bytes | None], private: Collection[Path] = ()) -> None:
    """Write the files in their order; None removes one that an earlier call left there.

    Raises OSError where one cannot be written; then none is.
    """
    mark = secrets.token_hex(4)
    whole = {path: data for path, data in files.items() if data is not None}
    ready = {path: path.with_name(f".{path.name[:100]}.{mark}") for path in whole}
    try:
        for path, data in whole.items():
            _written(path, ready[path], data, PRIVATE if path in private else 0o644)
        for path, beside in ready.items():
            os.replace(beside, path)
    finally:
        for beside in ready.values():
            if beside.exists():
                beside.unlink()
    for path in files.keys() - whole.keys():
        path.unlink(missing_ok=True)


def _written(path: Path, beside: Path, data: bytes, mode: int) -> None:
    try:
        write_whole(beside, data, mode=mode)
    except OSError as error:
        why = error.strerror or error
        raise OSError(f"{path} cannot be written: {why}; nothing was written") from None
