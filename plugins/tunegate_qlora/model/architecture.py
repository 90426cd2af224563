"""A base's outline, read from its configuration alone: no weight is loaded."""

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
    """The linear layers that an adapter can stand beside, and the parameters elsewhere."""

    linear_layers: dict[str, tuple[int, int]]  # the layer's full name: inputs, outputs
    other_parameters: int

    def unsupported_4bit_layers(self) -> Iterator[str]:
        """Yield layers whose 4-bit weights bitsandbytes gets wrong on a CPU."""
        bad_sizes = sorted({i for i, _ in self.linear_layers.values() if i % QUANTISATION_BLOCK})
        if bad_sizes and local_device() == "cpu":
            yield (
                f"linear layers with {', '.join(map(str, bad_sizes))} inputs: on a CPU, bitsandbytes "
                f'needs multiples of {QUANTISATION_BLOCK} for 4 bits; set quantisation = "none"'
            )

    def unknown_targets(self, targets: str | list[str]) -> Iterator[str]:
        """Yield the names in `targets` that no layer has."""
        layer_names = {name.rpartition(".")[2] for name in self.linear_layers}
        for target in targets if isinstance(targets, list) else []:
            if not any(_is_targeted(name, [target]) for name in self.linear_layers):
                yield f"targets: no layer is called {target!r}; there are {', '.join(sorted(layer_names))}"

    def trainable_parameters(self, settings: Settings) -> int:
        """Return how many parameters are trained: all, or r x (in + out) beside each layer."""
        if settings.method == "full":
            return sum(i * o for i, o in self.linear_layers.values()) + self.other_parameters
        adapted = (
            s for name, s in self.linear_layers.items() if _is_targeted(name, settings.targets)
        )
        return sum(settings.r * (i + o) for i, o in adapted)

    def disk_bytes(self, settings: Settings) -> int:
        """Return the bytes that a run writes at most: three checkpoints of weights and AdamW's two
        moments in float32, the model itself, and where the best is kept three of its states.
        """
        states = 3 * 3 + 1 + (3 if settings.keep == "best" else 0)
        return self.trainable_parameters(settings) * 4 * states


def _is_targeted(name: str, targets: str | list[str]) -> bool:
    """Whether a layer gets an adapter: by its name, or the end of it, as peft has it."""
    return isinstance(targets, str) or f".{name}".endswith(tuple(f".{t}" for t in targets))


def read_architecture(folder: Path) -> Architecture:
    """Return the outline of the model that a folder's `config.json` describes; raise ValueError."""
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise ValueError(f"{folder} holds no weights (*.safetensors)")
    return describe_architecture(folder)


def describe_architecture(folder: Path) -> Architecture:
    """Return the outline as `read_architecture` does, also where there are no weights yet."""
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
    """Return the class of the base's decoder layers, "" where it names none; raise ValueError."""
    names = getattr(_model_without_weights(folder), "_no_split_modules", None) or ()
    return next((name for name in sorted(names) if name.endswith(("Layer", "Block"))), "")


def _model_without_weights(folder: Path) -> Any:
    """Return the model that a folder describes, without its weights; raise ValueError."""
    import transformers

    hf: Any = transformers  # partly untyped
    try:
        config = hf.AutoConfig.from_pretrained(folder, local_files_only=True)
        with torch.device("meta"):
            return hf.AutoModelForCausalLM.from_config(config)
    except Exception as error:  # an unknown architecture, a setting it does not take
        raise ValueError(f"{folder} holds no causal language model: {error}") from None


# [merged] A base's architecture, as small as it goes: few and narrow layers, random weights.

MIN_LAYERS = 2  # or as many as it takes to have one of each kind
# As small as bitsandbytes' blocks of 64 allow.
TINY_VALUES = {
    **{"hidden_size": 64, "intermediate_size": 128, "head_dim": 16, "max_window_layers": 2},
    **{"num_attention_heads": 4, "num_key_value_heads": 2},
    **{"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2},
    **{"moe_intermediate_size": 64, "shared_expert_intermediate_size": 64},
    **{"hidden_size_per_layer_input": 16, "num_kv_shared_layers": 0},
}


def tiny_copy(root: Path, folder: Path) -> Path:
    """Write a small model of a base's architecture, with its tokenizer and template."""
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
        _shrink_config(text)
        torch.manual_seed(0)
        hf.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    except Exception as error:  # an architecture with a rule of its own
        kind = type(error).__name__
        raise ValueError(f"{root.name} cannot be made small to rehearse: {kind}: {error}") from None
    return folder


def _shrink_config(text: Any) -> None:
    kinds = getattr(text, "layer_types", None) or [""] * MIN_LAYERS
    layer_counts = (n for n in range(MIN_LAYERS, len(kinds)) if {*kinds[:n]} == {*kinds})
    layers = next(layer_counts, len(kinds))
    for key, value in TINY_VALUES.items() | {("num_hidden_layers", layers)}:
        if isinstance(getattr(text, key, None), int):
            with contextlib.suppress(AttributeError):  # follows from the others
                setattr(text, key, min(value, getattr(text, key)))
    if getattr(text, "layer_types", None):
        text.layer_types = kinds[:layers]
