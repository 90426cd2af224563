"""The adapter on disk: whole or not there, and knowing what it was trained on."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import base, digests
from .config import Decoding, settle

_CONFIG = "adapter_config.json"
_NOTE = "tunegate.json"


@dataclass(frozen=True, slots=True)
class Note:
    """What peft's own files do not say: the base's digest, and how the model is to answer.

    `template` is the chat template's text, `rendered` what it made of a probe: see `rendering`.
    They and the digest are "" where the adapter was made elsewhere: nothing to compare with.
    """

    base: str
    base_digest: str
    decoding: Decoding
    template: str = ""
    rendered: str = ""


def save(model: Any, folder: Path, note: Note) -> None:
    """Write the adapter to a folder that appears whole or not at all; raise OSError."""
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    model.save_pretrained(draft)
    (draft / "README.md").unlink(
        missing_ok=True
    )  # peft's model card: a form with nothing filled in
    _tidy(draft / _CONFIG, note.base)
    told = asdict(note) | {"decoding": note.decoding.model_dump(mode="json")}
    (draft / _NOTE).write_text(json.dumps(told, indent=1))
    draft.rename(folder)


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter rather than a whole model."""
    return (folder / _CONFIG).is_file()


def note(folder: Path) -> Note:
    """Return what an adapter says of its base; raise ValueError where it says nothing readable."""
    try:
        config = json.loads((folder / _CONFIG).read_bytes())
        path = folder / _NOTE
        told = json.loads(path.read_bytes()) if path.is_file() else {}
        named = config["base_model_name_or_path"]
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder} holds no adapter that can be read: {error}") from None
    decoding = settle(Decoding, told.get("decoding", {}))
    digest, *rendering = (str(told.get(k, "")) for k in ("base_digest", "template", "rendered"))
    return Note(str(named), digest, decoding, *rendering)


def digest(folder: Path, base_digest: str) -> str:
    """Return the digest of a trained model: of its adapter's files and of its base."""
    return digests.of_values({"adapter": base.digest(folder), "base": base_digest})


def _tidy(path: Path, named: str) -> None:
    """Name the base as the project does, and sort what peft writes in the order of a set."""
    config = json.loads(path.read_bytes())
    config["base_model_name_or_path"] = named
    if isinstance(config.get("target_modules"), list):
        config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True))
