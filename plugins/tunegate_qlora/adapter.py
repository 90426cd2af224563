"""The adapter on disk, knowing what it was trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import base, digests
from . import note as notes
from .note import Note

_CONFIG = "adapter_config.json"


def save(model: Any, folder: Path, note: Note) -> None:
    """Write the adapter into a folder; raise OSError. Of several processes the first does."""
    from . import ranks

    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    weights = {n: ranks.whole(p) for n, p in trained} if ranks.several() else None
    if ranks.first():
        model.save_pretrained(folder, state_dict=weights)
        complete(folder, note)


def complete(folder: Path, note: Note) -> None:
    """Make what peft wrote into a folder an adapter of this project; raise OSError."""
    (folder / "README.md").unlink(missing_ok=True)  # peft's: a form with nothing filled in
    _tidy(folder / _CONFIG, note.base)
    notes.write(folder, note)


def mount(model: Any, folder: Path | None) -> Any:
    """Return a loaded base with the adapter of this folder on it; the base itself for None."""
    if folder is None:
        return model
    from peft import PeftModel

    from .quantise import keep_format

    with_it = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    keep_format(with_it)
    return with_it.eval()


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter rather than a whole model."""
    return (folder / _CONFIG).is_file()


def note(folder: Path) -> Note:
    """Return what an adapter says of its base; raise ValueError where it says nothing readable."""
    try:
        config = json.loads((folder / _CONFIG).read_bytes())
        named = str(config["base_model_name_or_path"])
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder} holds no adapter that can be read: {error}") from None
    return replace(notes.read(folder), base=named)


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
