"""Digests of files and folders, which identify a model whatever its name and place are."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from tunegate.utils.hashing import sha256_file, sha256_spaced_json

# The files that a model's answers depend on, and those of the same suffixes that do not matter.
_MODEL_SUFFIXES = (".safetensors", ".bin", ".model", ".json", ".jinja", ".txt", ".tiktoken")
_EXCLUDED = ("trainer_state.json", "sealed.json", "LICENSE.txt", "requirements.txt")


def folder_digest(folder: Path) -> str:
    """Return the sha256 of a model folder's weights, configuration, tokenizer and template.

    Files are streamed, so that weights need not fit in memory. A process reads a file again only
    when its size, inode or time of change differs. Raises OSError where a file cannot be read.
    """
    files = sorted(
        p for p in folder.iterdir() if p.suffix in _MODEL_SUFFIXES and p.name not in _EXCLUDED
    )
    return sha256_spaced_json([(p.name, file_digest(p)) for p in files])


def file_digests(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """Return each file's sha256 under its path relative to `root`."""
    return {p.relative_to(root).as_posix(): file_digest(p) for p in sorted(paths)}


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes; `folder_digest` says when the file is read again."""
    stat = path.stat()
    return _cached_file_digest(str(path.absolute()), stat.st_size, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=1024)
def _cached_file_digest(path: str, *_changes: int) -> str:
    return sha256_file(path)
