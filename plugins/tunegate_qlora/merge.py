"""An adapter merged into its base: one dense model, good only where its loss says so.

The adapter was trained beside the weights as they were then: in 4 bits, that is what they are when
made dense again, and these are what it is merged into. Into the original weights the same matrices
would make a model that nobody has trained. Merging into 4 bits would round the adapter away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from . import adapter, full
from .config import Settings
from .note import Note
from .quantise import load


def merge(tuned: Path, root: Path, settings: Settings, folder: Path) -> None:
    """Write the adapter in `tuned`, merged into the base in `root`, as a whole model to `folder`.

    Weights are in the base's own number format, and the model answers as it is: not quantised.
    Raises OSError, ValueError.
    """
    note = adapter.note(tuned)
    weights = dense(adapter.mount(load(root, settings.decoding), tuned), full.dtype(root))
    model = _plain(root)
    with torch.no_grad():
        for name, weight in weights.items():
            model.get_submodule(name).weight.copy_(weight)
    decoding = note.decoding.model_copy(update={"quantisation": "none"})
    answering = Note(note.base, note.base_digest, decoding, note.template, note.rendered)
    full.save(model, folder, root, answering)


def dense(model: Any, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Return the weights [outputs, inputs] that an adapter or 4 bits have changed, by layer name.

    They are summed in float32, and rounded once.
    """
    import bitsandbytes
    import peft.tuners.lora

    bnb: Any = bitsandbytes  # partly untyped, both
    lora: Any = peft.tuners.lora
    found: dict[str, torch.Tensor] = {}
    layers: dict[str, Any] = dict(model.get_base_model().named_modules())
    for name, layer in layers.items():
        if isinstance(layer, lora.LoraLayer):
            weight = _full(layer.get_base_layer()) + layer.get_delta_weight("default").float()
        elif isinstance(layer, bnb.nn.Linear4bit) and not name.endswith(".base_layer"):
            weight = _full(layer)
        else:
            continue
        found[name] = weight.detach().to("cpu", dtype)
    return found


def _full(layer: Any) -> torch.Tensor:
    from bitsandbytes.functional import dequantize_4bit

    weight = layer.weight
    if getattr(weight, "quant_state", None) is None:
        return torch.as_tensor(weight.detach().float())
    return torch.as_tensor(dequantize_4bit(weight.data, weight.quant_state).float())


def _plain(root: Path) -> Any:
    """Return the base as it lies on disk, on the CPU."""
    import transformers

    hf: Any = transformers
    return hf.AutoModelForCausalLM.from_pretrained(
        root, dtype=full.dtype(root), device_map={"": "cpu"}, local_files_only=True
    )
