"""The architecture of a base, read from `config.json` without weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..config.settings import Settings
from .load import QUANTISATION_BLOCK, local_device


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

    def unsupported_4bit_layers(self) -> Iterator[str]:
        """Yield a message where bitsandbytes computes wrongly with this base in 4 bits on a CPU."""
        bad_sizes = sorted({i for i, _ in self.linear_layers.values() if i % QUANTISATION_BLOCK})
        if bad_sizes and local_device() == "cpu":
            yield (
                f"linear layers with {', '.join(map(str, bad_sizes))} inputs: on a CPU, "
                f"bitsandbytes needs multiples of {QUANTISATION_BLOCK} for 4 bits; "
                'set quantisation = "none"'
            )

    def unknown_targets(self, targets: str | list[str]) -> Iterator[str]:
        """Yield a message for each name in `targets` that no linear layer has."""
        layer_names = {name.rpartition(".")[2] for name in self.linear_layers}
        for target in targets if isinstance(targets, list) else []:
            if not any(_is_targeted(name, [target]) for name in self.linear_layers):
                names = ", ".join(sorted(layer_names))
                yield f"targets: no layer is called {target!r}; there are {names}"

    def trainable_parameters(self, settings: Settings) -> int:
        """Count the trained parameters: all of them, or r x (in + out) for each adapted layer."""
        if settings.method == "full":
            return sum(i * o for i, o in self.linear_layers.values()) + self.other_parameters
        adapted = (
            s for name, s in self.linear_layers.items() if _is_targeted(name, settings.targets)
        )
        return sum(settings.r * (i + o) for i, o in adapted)

    def disk_bytes(self, settings: Settings) -> int:
        """Return the largest number of bytes that a run has on disk.

        These are three checkpoints of weights and AdamW's two moments in float32, the model
        itself, and with keep = "best" three more states of it.
        """
        states = 3 * 3 + 1 + (3 if settings.keep == "best" else 0)
        return self.trainable_parameters(settings) * 4 * states


def _is_targeted(name: str, targets: str | list[str]) -> bool:
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
        config = hf.AutoConfig.from_pretrained(folder, local_files_only=True)
        with torch.device("meta"):
            model = hf.AutoModelForCausalLM.from_config(config)
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
