"""A whole model on disk: fully trained weights, or a base with its adapter merged in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from ..runtime import process_group
from . import base
from .metadata import METADATA_FILE, ModelMetadata, write_metadata

_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".index.json")
_NOT_COPIED = ("README.md", "sealed.json", METADATA_FILE)


def save_full(model: Any, folder: Path, root: Path, metadata: ModelMetadata) -> None:
    """Write a model in the number format of its base, with the base's tokenizer and template.

    `root` is the base's folder. Raises OSError.
    """
    for weight in model.parameters():  # `model.to` would convert the buffers too
        weight.data = weight.data.to(stored_dtype(root))
    model.save_pretrained(folder)
    finalise_full(folder, root, metadata)


def gather_shards(model: Any, root: Path) -> Any:
    """Return a model sharded by FSDP: whole in the first process, `model` itself in the others."""
    import transformers

    hf: Any = transformers  # partly untyped
    weights = {}
    for name, parameter in model.named_parameters():
        full_weight = process_group.full_tensor(parameter)  # in every process
        if process_group.is_main():
            weights[name] = full_weight.cpu()
    if not process_group.is_main():
        return model
    plain_model = hf.AutoModelForCausalLM.from_pretrained(
        root, dtype=torch.float32, local_files_only=True, trust_remote_code=False
    )
    plain_model.load_state_dict(weights, strict=False)  # of tied weights only one is named
    return plain_model


def finalise_full(folder: Path, root: Path, metadata: ModelMetadata) -> None:
    """Complete a folder of saved weights: copy the base's other files, and write the metadata.

    A file that is already there, such as `config.json`, is left as it is. Raises OSError.
    """
    for path in sorted(p for p in root.iterdir() if p.is_file()):
        is_copied = path.name not in _NOT_COPIED and not path.name.endswith(_WEIGHT_SUFFIXES)
        if is_copied and not (folder / path.name).exists():
            shutil.copy(path, folder / path.name)
    write_metadata(folder, metadata)


def stored_dtype(root: Path) -> torch.dtype:
    """Return the number format of a base's weights on disk, float32 where none is named."""
    names = base.config_values(root, "dtype", "torch_dtype")
    torch_dtype = getattr(torch, str(next(filter(None, names), "float32")), None)
    return torch_dtype if isinstance(torch_dtype, torch.dtype) else torch.float32
