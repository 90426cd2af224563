"""The architecture of a base, read from `config.json` without weights, and a tiny copy of it."""

from __future__ import annotations

import contextlib
import shutil
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
    parameters of all else: embeddings, norms, biases, the output head.
    """

    linear_layers: dict[str, tuple[int, int]]
    other_parameters: int

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
    """Return the architecture that `config.json` describes, also where no weights are there yet."""
    model = _model_without_weights(folder)
    head = model.get_output_embeddings()
    linear = {
        name: (layer.in_features, layer.out_features)
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer is not head
    }
    total = sum(p.numel() for p in model.parameters())
    return Architecture(linear, total - sum(i * o for i, o in linear.values()))


def decoder_layer_class(folder: Path) -> str:
    """Return the class name of the decoder layers, "" where none is known; raise ValueError."""
    names = getattr(_model_without_weights(folder), "_no_split_modules", None) or ()
    return next((name for name in sorted(names) if name.endswith(("Layer", "Block"))), "")


def _model_without_weights(folder: Path) -> Any:
    """Return the model that a folder describes, on the meta device; raise ValueError."""
    import transformers

    hf: Any = transformers  # partly untyped
    try:
        config = hf.AutoConfig.from_pretrained(folder, local_files_only=True)
        with torch.device("meta"):
            return hf.AutoModelForCausalLM.from_config(config)
    except Exception as error:  # an unknown architecture, a setting it does not take
        raise ValueError(f"{folder} holds no causal language model: {error}") from None


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
