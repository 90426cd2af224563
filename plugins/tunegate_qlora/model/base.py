"""Where a base model lies: a folder in the project, an absolute one, or the hub's local cache."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from . import digests


def locate_base(base: str, *roots: Path) -> Path:
    """Return the folder of a base model: the first that lies under one of the roots.

    `base` is a path relative to a root, an absolute one, or a hub name. A hub name is looked up in
    the cache on this machine: a gate downloads nothing. Raises ValueError saying where it looked.
    """
    candidates = [
        root / Path(base).expanduser() for root in roots
    ]  # an absolute path leaves roots aside
    folder = next((place for place in candidates if place.is_dir()), None)
    if folder is None and not _is_path(base):
        folder = _folder_in_cache(base)
    if folder is None:
        raise ValueError(_missing_text(base, candidates[0]))
    return folder


def base_digest(folder: Path) -> str:
    """Return the digest of a base: weights, configuration, tokenizer and chat template."""
    return digests.folder_digest(folder)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the model's `config.json`; raise ValueError where there is none to read."""
    try:
        model_config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} holds no model: config.json: {error}") from None
    return model_config


def _is_path(base: str) -> bool:
    return base.startswith((".", "~", "/")) or base.count("/") > 1 or os.sep == "\\" in base


def _folder_in_cache(name: str) -> Path | None:
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, local_files_only=True))
    except Exception:  # not installed, not a name, not in the cache: each means "not here"
        return None


def _missing_text(base: str, folder: Path) -> str:
    if _is_path(base):
        return f"base = {base!r}: there is no folder {folder}"
    return (
        f"base = {base!r}: there is no folder {folder}, and the hub's cache on this machine holds "
        f"no model of that name (`hf download {base}` fetches one)"
    )


# [merged] The licence of a base, as far as its folder says.

_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(\n|\Z)", re.DOTALL)
_UNSPECIFIED = {"", "other", "unknown"}


def licence_of(root: Path) -> str:
    """Return the licence that the front matter of a base's README.md names; "" for none.

    `license: other` names it in `license_name`. https://huggingface.co/docs/hub/model-cards
    """
    try:
        front = _FRONT_MATTER.match((root / "README.md").read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    lines = front[1].splitlines() if front else []
    front_matter = {
        k.strip(): v.strip(" '\"") for k, _, v in (line.partition(":") for line in lines)
    }
    names = (front_matter.get(key, "") for key in ("license", "license_name"))
    return next((name for name in names if name.casefold() not in _UNSPECIFIED), "")


_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length")


def context_length(folder: Path) -> int:
    """Return how many tokens the base can read; a great number where it does not say."""
    config = read_config(folder)
    text = config.get("text_config") or {}
    lengths = [c.get(key) for key in _CONTEXT_KEYS for c in (config, text)]
    return min((n for n in lengths if isinstance(n, int) and n > 0), default=2**31)
