"""Seal checkpoints with the digests of their files, and resume from none that is not whole."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tunegate.utils.atomic import atomic_write

from ..model import base

_SEAL_FILE = "sealed.json"


def seal_checkpoint(checkpoint: Path) -> None:
    """Write the digests of a checkpoint's files into it; every file reaches the disk before."""
    files = [p for p in checkpoint.rglob("*") if p.is_file() and p.name != _SEAL_FILE]
    for path in files:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    text = json.dumps(base.file_digests(files, checkpoint), indent=1)
    atomic_write(checkpoint / _SEAL_FILE, text.encode())


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint was sealed, and every file is still what it was then."""
    try:
        sealed = json.loads((checkpoint / _SEAL_FILE).read_bytes())
        return bool(sealed) and sealed == base.file_digests(
            (checkpoint / name for name in sealed), checkpoint
        )
    except (OSError, ValueError):
        return False


def newest_whole(folder: Path) -> Path | None:
    """Return the newest whole checkpoint in a folder, and remove newer ones that are not whole."""
    found = (p for p in folder.glob("checkpoint-*") if p.name.rpartition("-")[2].isdigit())
    for checkpoint in sorted(found, key=step_of, reverse=True):
        if is_whole(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def step_of(checkpoint: Path | None) -> int:
    """Return the number of optimiser steps done at a checkpoint; 0 for None."""
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
