"""Sealed JSON: files that tell whether this state tree wrote them, and whether they are whole."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .files import write_whole


class SealBroken(Exception):
    """A file that this state tree did not write, or that was changed since."""


def canonical(value: Any) -> bytes:
    """Return the one JSON spelling of a value that digests are taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(value: Any) -> str:
    """Return the sha256 of a JSON value."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _seal(body: Mapping[str, Any], key: bytes) -> str:
    return hmac.new(key, canonical(body), hashlib.sha256).hexdigest()


def write(path: Path, body: Mapping[str, Any], key: bytes) -> None:
    """Seal and write: whole or not at all."""
    sealed = {**body, "seal": _seal(body, key)}
    text = json.dumps(sealed, indent=2, ensure_ascii=False, sort_keys=True)
    write_whole(path, text.encode() + b"\n", mode=0o600)


def read(path: Path, key: bytes) -> dict[str, Any]:
    """Read back; raises SealBroken where the file is missing or is not what was sealed."""
    try:
        body: dict[str, Any] = json.loads(path.read_bytes())
        seal = body.pop("seal")
    except FileNotFoundError:
        raise SealBroken(f"{path} is missing: no gate opened for this run") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SealBroken(f"{path} was not written by tunegate") from None
    if not isinstance(seal, str) or not hmac.compare_digest(seal, _seal(body, key)):
        raise SealBroken(
            f"{path} was not written by a gate of this state tree, or was changed since; "
            f"restore it, or remove {path.parent} and run the data suite again"
        )
    return body
