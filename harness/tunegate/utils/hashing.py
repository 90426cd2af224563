"""SHA-256 digests, as hexadecimal digits, of bytes, files and JSON values.

A JSON value has three spellings, for ids and digests on disk were made with each of them: which
one a record uses can no longer change. New records use `sha256_json`.
"""

import hashlib
import json
from pathlib import Path
from typing import Any


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes, which are streamed; raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    """Return the SHA-256 of a value's JSON in ASCII, with spaces: ids of rows and findings.

    What JSON cannot hold (a date out of a Parquet file) counts as its `str`.
    """
    return sha256_bytes(json.dumps(value, sort_keys=True, default=str).encode())
