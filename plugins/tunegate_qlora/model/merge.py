"""An adapter merged into its base: one dense model, good only where its loss says so.

The adapter was trained beside the weights as they were then: in 4 bits, that is what they are when
made dense again, and these are what it is merged into. Into the original weights the same matrices
would make a model that nobody has trained. Merging into 4 bits would round the adapter away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..config.settings import Settings
from . import adapter, full
from .load import load_base
from .metadata import ModelMetadata


def merge_adapter(tuned: Path, root: Path, settings: Settings, folder: Path) -> None:
    """Write the adapter in `tuned`, merged into the base in `root`, as a whole model to `folder`.

    Weights are in the base's own number format, and the model answers as it is: not quantised.
    Raises OSError, ValueError.
    """
    metadata = adapter.read_adapter_metadata(tuned)
    weights = dense_layer_weights(
        adapter.load_adapter(load_base(root, settings.decoding), tuned), full.stored_dtype(root)
    )
    model = _load_plain_base(root)
    with torch.no_grad():
        for name, weight in weights.items():
            model.get_submodule(name).weight.copy_(weight)
    decoding = metadata.decoding.model_copy(update={"quantisation": "none"})
    merged_metadata = ModelMetadata(
        metadata.base, metadata.base_digest, decoding, metadata.template, metadata.rendered
    )
    full.save_full(model, folder, root, merged_metadata)


def dense_layer_weights(model: Any, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Return the weights [outputs, inputs] that an adapter or 4 bits have changed, by layer name.

    They are summed in float32, and rounded once.
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


def _load_plain_base(root: Path) -> Any:
    """Return the base as it lies on disk, on the CPU."""
    import transformers

    hf: Any = transformers
    return hf.AutoModelForCausalLM.from_pretrained(
        root, dtype=full.stored_dtype(root), device_map={"": "cpu"}, local_files_only=True
    )
