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
            if not any(name == target or name.endswith("." + target) for name in self.linear):
                yield f"targets: no layer is called {target!r}; there are {', '.join(sorted(last))}"

    def adapter(self, settings: Settings) -> int:
        """Return how many parameters an adapter on every linear layer has: r x (in + out) each."""
        return sum(settings.r * (i + o) for i, o in self.linear.values())

    def disk(self, settings: Settings) -> int:
        """Return the bytes that a run writes at most: three checkpoints of weights and AdamW's two
        moments in float32, and the adapter itself.
        """
        return self.adapter(settings) * 4 * (3 * 3 + 1)

    def memory(self, settings: Settings) -> Iterator[str]:
        """Yield a line where the weights alone do not fit on the GPU; activations come on top."""
        if device() == "cpu":
            return
        share = (
            0.55 if settings.quantisation == "nf4" else 2.0
        )  # bytes a parameter, scales included
        held = sum(i * o for i, o in self.linear.values()) * share + 4 * self.elsewhere
        need = int(held) + 16 * self.adapter(settings)  # weight, gradient, two moments
        free, _ = torch.cuda.mem_get_info()
        if need > free:
            yield f"the weights need {need / 1e9:,.1f} GB, the GPU has {free / 1e9:,.1f} GB free"


def outline(folder: Path) -> Outline:
    """Return the outline of the model that a folder's `config.json` describes; raise ValueError."""
    import transformers

    hf: Any = transformers  # partly untyped

    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise ValueError(f"{folder} holds no weights (*.safetensors)")
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
    return Outline(linear, total - sum(i * o for i, o in linear.values()))
