"""Checkpoints that are whole, or are not used: each is sealed with the digests of its files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tunegate.utils.atomic import atomic_write

from ..model import digests

_SEAL_FILE = "sealed.json"


def seal_checkpoint(checkpoint: Path) -> None:
    """Mark a checkpoint as whole. Every file reaches the disk before the seal does."""
    files = [p for p in checkpoint.rglob("*") if p.is_file() and p.name != _SEAL_FILE]
    for path in files:
        _sync(path)
    text = json.dumps(digests.file_digests(files, checkpoint), indent=1)
    atomic_write(checkpoint / _SEAL_FILE, text.encode())


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint was sealed, and every file is still what it was then."""
    try:
        sealed = json.loads((checkpoint / _SEAL_FILE).read_bytes())
        return bool(sealed) and sealed == digests.file_digests(
            (checkpoint / name for name in sealed), checkpoint
        )
    except (OSError, ValueError):
        return False


def newest_whole(folder: Path) -> Path | None:
    """Return the newest whole checkpoint; newer ones that are not whole are removed."""
    for checkpoint in _newest_first(folder):
        if is_whole(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def step_of(checkpoint: Path | None) -> int:
    """Return the number of steps done at a checkpoint; 0 for none."""
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def _newest_first(folder: Path) -> Iterator[Path]:
    candidates = (p for p in folder.glob("checkpoint-*") if p.name.rpartition("-")[2].isdigit())
    yield from sorted(candidates, key=step_of, reverse=True)


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
