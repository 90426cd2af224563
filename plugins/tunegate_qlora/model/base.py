"""A model's folder on this machine: its place, digest, configuration, context length, licence."""

import json
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from tunegate.utils.hashing import sha256_file, sha256_spaced_json

from ..config import Settings

# The files that a model's answers depend on, and those of the same suffixes that do not matter.
_MODEL_SUFFIXES = (".safetensors", ".bin", ".model", ".json", ".jinja", ".txt", ".tiktoken")
_EXCLUDED = ("trainer_state.json", "sealed.json", "LICENSE.txt", "requirements.txt")
_UNSPECIFIED_LICENCES = {"", "other", "unknown"}
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length")


def locate_base(base: str, *roots: Path) -> Path:
    """Return the folder of a base model, without any download.

    `base` is an absolute path, one relative to a root (the first that holds it counts), or a hub
    name, which is looked up in the cache of this machine where no folder has that name. Raises
    ValueError where there is no such folder, and no such name in the cache.
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


def folder_digest(folder: Path) -> str:
    """Return the sha256 of a model folder's weights, configuration, tokenizer and template.

    Files are streamed, so that weights need not fit in memory. A process reads a file again only
    when its size, inode or time of change differs. Raises OSError where a file cannot be read.
    """
    files = (p for p in folder.iterdir() if p.suffix in _MODEL_SUFFIXES and p.name not in _EXCLUDED)
    return sha256_spaced_json(list(file_digests(files, folder).items()))


def file_digests(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """Return each file's sha256 under its path relative to `root`; see `folder_digest`."""
    digests: dict[str, str] = {}
    for path in sorted(paths):
        stat = path.stat()
        key = stat.st_size, stat.st_mtime_ns, stat.st_ino
        digests[path.relative_to(root).as_posix()] = _cached_file_digest(str(path.absolute()), *key)
    return digests


@lru_cache(maxsize=1024)
def _cached_file_digest(path: str, *_changes: int) -> str:
    return sha256_file(path)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the model's `config.json`; raise ValueError where it is missing or unreadable."""
    try:
        model_config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} holds no model: config.json: {error}") from None
    return model_config


def quantisation_problem(folder: Path, settings: Settings) -> str:
    """Return why a base that was saved quantised cannot be trained, "" where it can.

    Only NF4 of bitsandbytes is what `qlora` makes itself.
    """
    saved = next(filter(None, config_values(folder, "quantization_config")), None)
    if not saved:
        return ""
    kind = str(saved.get("quant_method", "bitsandbytes"))
    if kind != "bitsandbytes" or saved.get("bnb_4bit_quant_type") != "nf4":
        what = f"the base is saved quantised ({kind}), and no adapter can be trained on that here"
        return f"{what}: name the model that it was made of"
    if settings.method != "qlora":
        return f"the base is saved in 4 bits: set method = 'qlora', not {settings.method!r}"
    return ""


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
