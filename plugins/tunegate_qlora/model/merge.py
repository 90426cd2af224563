"""Merges an adapter into its base: one dense model, not quantised.

The adapter was trained beside quantised weights, so it is merged into these, dequantised. Merged
into the original weights it would make a model that was never trained, and merged into 4-bit
weights it would be lost in rounding. The caller compares the losses of both models.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..config import Settings
from .metadata import read_adapter_metadata
from .weights import load_tuned, save_full, stored_dtype


def merge_adapter(tuned: Path, root: Path, settings: Settings, folder: Path) -> None:
    """Write a base with its adapter merged in, as a whole model in the base's number format.

    Args:
        tuned: The adapter's folder.
        root: The base's folder.
        settings: The settings of the training, which say how the base was quantised.
        folder: The folder to write to.

    Raises:
        OSError: The folder cannot be written.
        ValueError: The adapter cannot be read.
    """
    import transformers

    hf: Any = transformers  # partly untyped
    metadata, dtype = read_adapter_metadata(tuned), stored_dtype(root)
    weights = dense_layer_weights(load_tuned(root, tuned, settings.decoding), dtype)
    model = hf.AutoModelForCausalLM.from_pretrained(
        root, dtype=dtype, device_map={"": "cpu"}, local_files_only=True, trust_remote_code=False
    )
    with torch.no_grad():
        for name, weight in weights.items():
            model.get_submodule(name).weight.copy_(weight)
    decoding = metadata.decoding.model_copy(update={"quantisation": "none"})
    save_full(model, folder, root, replace(metadata, decoding=decoding))


def dense_layer_weights(model: Any, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Return the weights of the layers that an adapter or quantisation changes, by layer name.

    Each is a tensor [outputs, inputs] on the CPU: the dequantised weight plus the product of the
    adapter's matrices, added in float32 and rounded once, to `dtype`.
    """
    import bitsandbytes
    import peft.tuners.lora

    bnb: Any = bitsandbytes  # partly untyped, both
    lora: Any = peft.tuners.lora
    dense_weights: dict[str, torch.Tensor] = {}
    layers: dict[str, Any] = dict(model.get_base_model().named_modules())
    for name, layer in layers.items():
        if isinstance(layer, lora.LoraLayer):
            weight = (
                _dequantised(layer.get_base_layer()) + layer.get_delta_weight("default").float()
            )
        elif isinstance(layer, bnb.nn.Linear4bit) and not name.endswith(".base_layer"):
            weight = _dequantised(layer)
        else:
            continue
        dense_weights[name] = weight.detach().to("cpu", dtype)
    return dense_weights


def _dequantised(layer: Any) -> torch.Tensor:
    from bitsandbytes.functional import dequantize_4bit

    weight = layer.weight
    if getattr(weight, "quant_state", None) is None:
        return torch.as_tensor(weight.detach().float())
    return torch.as_tensor(dequantize_4bit(weight.data, weight.quant_state).float())
