"""Estimates the memory of a training, and measures how much is free.

The weights are counted, and the activations follow a formula. What libraries reserve for
themselves is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from tunegate.tokenization.encode import EncodedRow

from ..config import Settings
from ..model.architecture import Architecture
from ..model.load import local_device

# Bits of a weight in NF4: 4, and the two scales of double quantisation (arXiv:2305.14314, § 3).
NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
# Bytes that a layer keeps for each token and unit of width in 16 bits (Korthikanti et al.,
# arXiv:2205.05198, equation 1 and table 2): without the attention matrix, which current kernels do
# not keep, and with checkpointing only its input.
LAYER_BYTES, CHECKPOINTED_LAYER_BYTES = 34, 2


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes of the base, of the trained parameters and their optimiser, and of one pass."""

    weights: float
    trained: float
    activations: float

    @property
    def total(self) -> float:
        """The sum of the three."""
        return self.weights + self.trained + self.activations

    def per_process(self, settings: Settings) -> MemoryEstimate:
        """Return the estimate for one process; FSDP splits weights and optimiser among them."""
        divisor = settings.world_size if settings.sharding == "fsdp" else 1
        return MemoryEstimate(self.weights / divisor, self.trained / divisor, self.activations)

    def __str__(self) -> str:
        parts = f"weights {format_bytes(self.weights)}, training {format_bytes(self.trained)}"
        activations = format_bytes(self.activations)
        return f"about {format_bytes(self.total)}: {parts}, activations {activations}"


def estimate_memory(
    architecture: Architecture,
    settings: Settings,
    rows: Sequence[EncodedRow],
    config: Mapping[str, Any],
    *,
    gpu: bool | None = None,
) -> MemoryEstimate:
    """Estimate the memory of a training on these rows.

    - weights: with `qlora` 0.516 bytes a quantised weight and 4 any other (peft makes those
      float32); with `lora` the compute format; with `full` float32.
    - trained: the gradient and AdamW's two moments, 4 bytes each, and an adapter's own weights.
    - activations: 34 x tokens x width bytes a layer in 16 bits (2 with checkpointing, and 34 once),
      and the logits of the answers with their gradient in float32.

    Args:
        architecture: The sizes of the base's layers.
        settings: The settings of the training.
        rows: All rows that are trained on, for `dpo` both sides of each pair.
        config: The base's `config.json`.
        gpu: Whether to estimate for a GPU; what this machine trains on where it is None.
    """
    linear = sum(i * o for i, o in architecture.linear_layers.values())
    size = 2 if settings.compute != "float32" else 4
    weights = {
        "qlora": linear * NF4_BITS / 8 + 4 * architecture.other_parameters,
        "lora": size * (linear + architecture.other_parameters),
        "full": 4 * (linear + architecture.other_parameters),
    }[settings.method]
    bytes_per_parameter = 12 if settings.method == "full" else 16
    trained = bytes_per_parameter * architecture.trainable_parameters(settings)

    text = config.get("text_config") or config
    width, layers = text.get("hidden_size") or 0, text.get("num_hidden_layers") or 0
    batch = settings.batch * settings.conversations_per_row
    longest_row = max((len(row.ids) for row in rows), default=0)
    is_gpu = local_device() != "cpu" if gpu is None else gpu
    is_float32 = not is_gpu or settings.compute == "float32" or settings.method == "full"
    layer_bytes = LAYER_BYTES * layers
    if settings.gradient_checkpointing:
        layer_bytes = CHECKPOINTED_LAYER_BYTES * layers + LAYER_BYTES
    activations = batch * longest_row * width * (2 if is_float32 else 1) * layer_bytes
    answer = min(longest_row, batch * max((row.trained_tokens for row in rows), default=0))
    logits = 2 * 4 * batch * answer * (text.get("vocab_size") or 0)
    return MemoryEstimate(weights, trained, float(activations + logits))


def free_memory() -> int:
    """Return the free bytes of the memory that the model is loaded into: the GPU's, or RAM."""
    if local_device() != "cpu":
        return int(torch.cuda.mem_get_info(local_device())[0])
    psutil: Any = import_module("psutil")  # accelerate needs it; it has no types
    return min([int(psutil.virtual_memory().available), *container_free_memory()])


def container_free_memory(folder: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """Return the free bytes below a container's own limit, [] where it has none (cgroup v2)."""
    try:
        most, used = ((folder / name).read_text() for name in ("memory.max", "memory.current"))
        return [max(int(most) - int(used), 0)]
    except (OSError, ValueError):  # "max": no limit
        return []


def format_bytes(size: float) -> str:
    """Format a number of bytes in GB (10^9), or in MB below one GB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
