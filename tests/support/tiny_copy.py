"""A tiny model of the architecture of another, to train architectures as they come in small."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import torch

MIN_LAYERS = 2  # of a tiny copy; more where it takes more to have one layer of each kind
# The sizes of a tiny copy, where its configuration knows the key: as small as bitsandbytes' blocks
# of 64 inputs allow.
TINY_VALUES = {
    **{"hidden_size": 64, "intermediate_size": 128, "head_dim": 16, "max_window_layers": 2},
    **{"num_attention_heads": 4, "num_key_value_heads": 2},
    **{"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2},
    **{"moe_intermediate_size": 64, "shared_expert_intermediate_size": 64},
    **{"hidden_size_per_layer_input": 16, "num_kv_shared_layers": 0},
}


def tiny_copy(root: Path, folder: Path) -> Path:
    """Write a tiny model of a base's architecture into a new folder, and return that folder.

    It has few and narrow layers with random weights, and the base's tokenizer and chat template.

    Args:
        root: The base's folder.
        folder: The folder to make.

    Raises:
        ValueError: The architecture does not allow these sizes.
    """
    import transformers

    hf: Any = transformers  # partly untyped
    folder.mkdir()
    for path in root.iterdir():  # the tokenizer, its template, and code of its own
        if path.is_file() and path.suffix in (".json", ".jinja", ".txt", ".model", ".py"):
            shutil.copy(path, folder / path.name)
    (folder / "model.safetensors.index.json").unlink(missing_ok=True)
    try:
        config = hf.AutoConfig.from_pretrained(root, local_files_only=True)
        text = config.get_text_config()
        kinds = getattr(text, "layer_types", None) or [""] * MIN_LAYERS
        layer_counts = (n for n in range(MIN_LAYERS, len(kinds)) if {*kinds[:n]} == {*kinds})
        layers = next(layer_counts, len(kinds))
        for key, value in TINY_VALUES.items() | {("num_hidden_layers", layers)}:
            if isinstance(getattr(text, key, None), int):
                with contextlib.suppress(AttributeError):  # a property, computed from other keys
                    setattr(text, key, min(value, getattr(text, key)))
        if getattr(text, "layer_types", None):
            text.layer_types = kinds[:layers]
        torch.manual_seed(0)
        hf.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    except Exception as error:  # the checks of each architecture raise errors of any type
        kind = type(error).__name__
        raise ValueError(f"{root.name} cannot be made small to rehearse: {kind}: {error}") from None
    return folder
