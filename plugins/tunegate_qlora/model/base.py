"""A base model on this machine: its folder, configuration, context length and licence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_UNSPECIFIED_LICENCES = {"", "other", "unknown"}
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length")


def locate_base(base: str, *roots: Path) -> Path:
    """Return the folder of a base model, without any download.

    Args:
        base: A path relative to one of the roots, an absolute path, or a hub name. A hub name is
            looked up in the cache of this machine, where no folder has that name.
        roots: Folders that a relative path may start from; the first that holds it counts.

    Raises:
        ValueError: There is no such folder, and no such name in the cache.
    """
    candidates = [root / Path(base).expanduser() for root in roots]  # absolute: the same in each
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    missing = f"base = {base!r}: there is no folder {candidates[0]}"
    if base.startswith((".", "~", "/")) or base.count("/") > 1 or os.sep == "\\" in base:
        raise ValueError(missing)  # no hub name looks like this
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(base, local_files_only=True))
    except Exception:  # not installed, not a valid name, not in the cache
        raise ValueError(
            f"{missing}, and the hub's cache on this machine holds no model of that name "
            f"(`hf download {base}` fetches one)"
        ) from None


def read_config(folder: Path) -> dict[str, Any]:
    """Return the model's `config.json`; raise ValueError where it is missing or unreadable."""
    try:
        model_config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} holds no model: config.json: {error}") from None
    return model_config


def config_values(folder: Path, *keys: str) -> list[Any]:
    """Return what `config.json` has under these keys, then what its `text_config` has.

    A model that also reads pictures describes its language model in `text_config`. A missing key
    gives None. Raises ValueError as `read_config` does.
    """
    config = read_config(folder)
    return [part.get(key) for part in (config, config.get("text_config") or {}) for key in keys]


def context_length(folder: Path) -> int:
    """Return how many tokens the base can read; 2^31 where its configuration names no number."""
    lengths = config_values(folder, *_CONTEXT_KEYS)
    return min((n for n in lengths if isinstance(n, int) and n > 0), default=2**31)


def licence_of(root: Path) -> str:
    """Return the licence that the front matter of a base's README.md names; "" for none.

    `license: other` names it in `license_name`. https://huggingface.co/docs/hub/model-cards
    """
    from huggingface_hub import metadata_load

    try:
        front_matter = metadata_load(root / "README.md") or {}
    except Exception:  # no file, not in UTF-8, or no valid YAML
        return ""
    names = (str(front_matter.get(key) or "") for key in ("license", "license_name"))
    return next((name for name in names if name.casefold() not in _UNSPECIFIED_LICENCES), "")
