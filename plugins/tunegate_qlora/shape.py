"""A base's outline, read from its configuration alone: no weight is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .config import Settings
from .quantise import BLOCK, device


@dataclass(frozen=True, slots=True)
class Outline:
    """The linear layers that an adapter can stand beside, and the parameters elsewhere."""

    linear: dict[str, tuple[int, int]]  # the layer's full name: inputs, outputs
    elsewhere: int

    def odd(self) -> Iterator[str]:
        """Yield layers whose 4-bit weights bitsandbytes gets wrong on a CPU."""
        wrong = sorted({i for i, _ in self.linear.values() if i % BLOCK})
        if wrong and device() == "cpu":
            yield (
                f"linear layers with {', '.join(map(str, wrong))} inputs: on a CPU, bitsandbytes "
                f'needs multiples of {BLOCK} for 4 bits; set quantisation = "none"'
            )

    def unknown(self, targets: str | list[str]) -> Iterator[str]:
        """Yield the names in `targets` that no layer has."""
        last = {name.rpartition(".")[2] for name in self.linear}
        for target in targets if isinstance(targets, list) else []:
            if not any(_chosen(name, [target]) for name in self.linear):
                yield f"targets: no layer is called {target!r}; there are {', '.join(sorted(last))}"

    def trainable(self, settings: Settings) -> int:
        """Return how many parameters are trained: all, or r x (in + out) beside each layer."""
        if settings.method == "full":
            return sum(i * o for i, o in self.linear.values()) + self.elsewhere
        chosen = (s for name, s in self.linear.items() if _chosen(name, settings.targets))
        return sum(settings.r * (i + o) for i, o in chosen)

    def disk(self, settings: Settings) -> int:
        """Return the bytes that a run writes at most: three checkpoints of weights and AdamW's two
        moments in float32, the model itself, and where the best is kept three of its states.
        """
        states = 3 * 3 + 1 + (3 if settings.keep == "best" else 0)
        return self.trainable(settings) * 4 * states


def _chosen(name: str, targets: str | list[str]) -> bool:
    """Whether a layer gets an adapter: by its name, or the end of it, as peft has it."""
    return isinstance(targets, str) or f".{name}".endswith(tuple(f".{t}" for t in targets))


def outline(folder: Path) -> Outline:
    """Return the outline of the model that a folder's `config.json` describes; raise ValueError."""
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise ValueError(f"{folder} holds no weights (*.safetensors)")
    return described(folder)


def described(folder: Path) -> Outline:
    """Return the outline as `outline` does, also where there are no weights yet."""
    model = _empty(folder)
    head = model.get_output_embeddings()
    linear = {
        name: (layer.in_features, layer.out_features)
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer is not head
    }
    total = sum(p.numel() for p in model.parameters())
    return Outline(linear, total - sum(i * o for i, o in linear.values()))


def decoder(folder: Path) -> str:
    """Return the class of the base's decoder layers, "" where it names none; raise ValueError."""
    names = getattr(_empty(folder), "_no_split_modules", None) or ()
    return next((name for name in sorted(names) if name.endswith(("Layer", "Block"))), "")


def _empty(folder: Path) -> Any:
    """Return the model that a folder describes, without its weights; raise ValueError."""
    import transformers

    hf: Any = transformers  # partly untyped
    try:
        config = hf.AutoConfig.from_pretrained(folder, local_files_only=True)
        with torch.device("meta"):
            return hf.AutoModelForCausalLM.from_config(config)
    except Exception as error:  # an unknown architecture, a setting it does not take
        raise ValueError(f"{folder} holds no causal language model: {error}") from None
