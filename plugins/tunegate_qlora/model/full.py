"""A whole model: every weight trained, or an adapter merged, saved with all it needs to answer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from ..runtime import process_group
from . import base
from . import metadata as notes
from .metadata import ModelMetadata

_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".index.json")
_NOT_COPIED = ("README.md", "sealed.json", notes.METADATA_FILE)


def make_trainable(model: Any) -> Any:
    """Return the base with every weight trainable."""
    model.requires_grad_(True)
    return model


def save_full(model: Any, folder: Path, root: Path, metadata: ModelMetadata) -> None:
    """Write a model in its base's own number format, with the base's tokenizer and template.

    `root` is the base's folder: what stands there beside the weights is copied as it is. Raises
    OSError.
    """
    for weight in model.parameters():  # not `model.to`: buffers keep their format when read
        weight.data = weight.data.to(stored_dtype(root))
    model.save_pretrained(folder)
    finalise_full(folder, root, metadata)


def gather_shards(model: Any, root: Path) -> Any:
    """Return a model whose parts several processes hold as one, in the memory of the first."""
    import transformers

    hf: Any = transformers  # partly untyped
    weights = {}
    for name, parameter in model.named_parameters():
        full_weight = process_group.full_tensor(parameter)  # every process has to ask
        if process_group.is_main():
            weights[name] = full_weight.cpu()
    if not process_group.is_main():
        return model
    plain_model = hf.AutoModelForCausalLM.from_pretrained(
        root, dtype=torch.float32, local_files_only=True
    )
    plain_model.load_state_dict(weights, strict=False)  # tied weights are there once
    return plain_model


def finalise_full(folder: Path, root: Path, metadata: ModelMetadata) -> None:
    """Put beside weights what the base has beside its own, and the note; raise OSError."""
    for path in sorted(p for p in root.iterdir() if p.is_file()):
        already_there = (folder / path.name).exists()  # config.json
        if (
            not already_there
            and path.name not in _NOT_COPIED
            and not path.name.endswith(_WEIGHT_SUFFIXES)
        ):
            shutil.copy(path, folder / path.name)
    notes.write_metadata(folder, metadata)


def stored_dtype(root: Path) -> torch.dtype:
    """Return the number format that a base's weights are kept in; float32 where it is not said."""
    config = base.read_config(root)
    text = config.get("text_config") or {}
    names = (c.get(key) for c in (config, text) for key in ("dtype", "torch_dtype"))
    torch_dtype = getattr(torch, str(next(filter(None, names), "float32")), None)
    return torch_dtype if isinstance(torch_dtype, torch.dtype) else torch.float32
