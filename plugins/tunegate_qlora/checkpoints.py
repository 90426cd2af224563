"""Checkpoints that are whole, or are not used: each is sealed with the digests of its files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from . import digests

_SEAL = "sealed.json"


def seal(checkpoint: Path) -> None:
    """Mark a checkpoint as whole. Every file reaches the disk before the seal does."""
    files = [p for p in checkpoint.rglob("*") if p.is_file() and p.name != _SEAL]
    for path in files:
        _flush(path)
    text = json.dumps(digests.of_files(files, checkpoint), indent=1)
    draft = checkpoint / (_SEAL + ".part")
    draft.write_text(text)
    _flush(draft)
    draft.rename(checkpoint / _SEAL)


def whole(checkpoint: Path) -> bool:
    """Whether a checkpoint was sealed, and every file is still what it was then."""
    try:
        sealed = json.loads((checkpoint / _SEAL).read_bytes())
        return bool(sealed) and sealed == digests.of_files(
            (checkpoint / name for name in sealed), checkpoint
        )
    except (OSError, ValueError):
        return False


def newest(folder: Path) -> Path | None:
    """Return the newest whole checkpoint; newer ones that are not whole are removed."""
    for checkpoint in _newest_first(folder):
        if whole(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def step(checkpoint: Path | None) -> int:
    """Return the number of steps done at a checkpoint; 0 for none."""
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def _newest_first(folder: Path) -> Iterator[Path]:
    found = (p for p in folder.glob("checkpoint-*") if p.name.rpartition("-")[2].isdigit())
    yield from sorted(found, key=step, reverse=True)


def _flush(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
