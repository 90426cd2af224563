"""A whole model: every weight trained, or an adapter merged, saved with all it needs to answer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from . import base, ranks
from . import note as notes
from .note import Note

_WEIGHTS = (".safetensors", ".bin", ".index.json")
_NOT_ITS_OWN = ("README.md", "sealed.json", notes.NAME)


def unfreeze(model: Any) -> Any:
    """Return the base with every weight trainable."""
    model.requires_grad_(True)
    return model


def save(model: Any, folder: Path, root: Path, note: Note) -> None:
    """Write a model in its base's own number format, with the base's tokenizer and template.

    `root` is the base's folder: what stands there beside the weights is copied as it is. Raises
    OSError.
    """
    for weight in model.parameters():  # not `model.to`: buffers keep their format when read
        weight.data = weight.data.to(dtype(root))
    model.save_pretrained(folder)
    complete(folder, root, note)


def gathered(model: Any, root: Path) -> Any:
    """Return a model whose parts several processes hold as one, in the memory of the first."""
    import transformers

    hf: Any = transformers  # partly untyped
    weights = {}
    for name, part in model.named_parameters():
        found = ranks.whole(part)  # every process has to ask
        if ranks.first():
            weights[name] = found.cpu()
    if not ranks.first():
        return model
    plain = hf.AutoModelForCausalLM.from_pretrained(
        root, dtype=torch.float32, local_files_only=True
    )
    plain.load_state_dict(weights, strict=False)  # tied weights are there once
    return plain


def complete(folder: Path, root: Path, note: Note) -> None:
    """Put beside weights what the base has beside its own, and the note; raise OSError."""
    for path in sorted(p for p in root.iterdir() if p.is_file()):
        own = (folder / path.name).exists()  # config.json
        if not own and path.name not in _NOT_ITS_OWN and not path.name.endswith(_WEIGHTS):
            shutil.copy(path, folder / path.name)
    notes.write(folder, note)


def dtype(root: Path) -> torch.dtype:
    """Return the number format that a base's weights are kept in; float32 where it is not said."""
    config = base.config(root)
    text = config.get("text_config") or {}
    said = (c.get(key) for c in (config, text) for key in ("dtype", "torch_dtype"))
    found = getattr(torch, str(next(filter(None, said), "float32")), None)
    return found if isinstance(found, torch.dtype) else torch.float32
