"""The architecture of a base, read from `config.json` without weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..config import Settings


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes of a base's layers.

    `linear_layers` maps the full name of each linear layer that can get an adapter to its numbers
    of inputs and outputs; the output head is not among them. `other_parameters` counts the
    parameters of all else: embeddings, norms, biases, the output head. `decoder_layer` is the name
    of the class of the decoder layers, "" where transformers names none.
    """

    linear_layers: dict[str, tuple[int, int]]
    other_parameters: int
    decoder_layer: str = ""

    def trainable_parameters(self, settings: Settings) -> int:
        """Count the trained parameters: all of them, or r x (in + out) for each adapted layer."""
        if settings.method == "full":
            return sum(i * o for i, o in self.linear_layers.values()) + self.other_parameters
        adapted = (
            s for name, s in self.linear_layers.items() if is_targeted(name, settings.targets)
        )
        return sum(settings.r * (i + o) for i, o in adapted)


def is_targeted(name: str, targets: str | list[str]) -> bool:
    """Return whether a layer gets an adapter: peft compares a name, or its last dotted parts."""
    return isinstance(targets, str) or f".{name}".endswith(tuple(f".{t}" for t in targets))


def read_architecture(folder: Path) -> Architecture:
    """Return the architecture of a model; raise ValueError where it or its weights are missing."""
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise ValueError(f"{folder} holds no weights (*.safetensors)")
    return describe_architecture(folder)


def describe_architecture(folder: Path) -> Architecture:
    """Return the architecture that `config.json` describes, also where no weights are there yet.

    Raises ValueError where the folder holds no causal language model.
    """
    import transformers

    hf: Any = transformers  # partly untyped
    try:
        config = hf.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        with torch.device("meta"):
            model = hf.AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # an unknown architecture, a setting it does not take
        raise ValueError(f"{folder} holds no causal language model: {error}") from None
    head = model.get_output_embeddings()
    linear = {
        name: (layer.in_features, layer.out_features)
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer is not head
    }
    total = sum(p.numel() for p in model.parameters())
    other = total - sum(i * o for i, o in linear.values())
    return Architecture(linear, other, decoder_layer_class(model))


def decoder_layer_class(model: Any) -> str:
    """Return the class name of a model's decoder layers, "" where transformers names none."""
    names = getattr(model, "_no_split_modules", None) or ()
    return next((name for name in sorted(names) if name.endswith(("Layer", "Block"))), "")
