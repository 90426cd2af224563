"""How much memory a training wants, worked out from the base's outline, and how much there is.

An estimate: the weights are counted, the activations follow a formula, and what a library sets
aside for itself is not in it. Only what is certain, weights that do not fit, is a problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from tunegate.tokenization.encode import EncodedRow

from ..config.settings import Settings
from ..model.architecture import Architecture
from ..model.load import local_device

# Bits a weight of NF4, 4 and the two scales of double quantisation: QLoRA (arXiv:2305.14314), § 3.
NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
# Bytes that a layer keeps for each token and unit of width, in 16 bits and without the attention's
# matrix, which today's kernels do not keep; with checkpointing only its input: Korthikanti et al.
# (arXiv:2205.05198), equation 1 and table 2.
LAYER_BYTES, CHECKPOINTED_LAYER_BYTES = 34, 2


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes: of the base as it is held, of what is trained, of a pass through the model."""

    weights: float
    trained: float
    activations: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.trained + self.activations

    def __str__(self) -> str:
        parts = f"weights {format_bytes(self.weights)}, training {format_bytes(self.trained)}"
        return f"about {format_bytes(self.total)}: {parts}, activations {format_bytes(self.activations)}"


def estimate_memory(
    architecture: Architecture,
    settings: Settings,
    rows: Sequence[EncodedRow],
    config: dict[str, Any],
    *,
    gpu: bool | None = None,
) -> MemoryEstimate:
    """Estimate a training on these rows; `config` is the base's `config.json`.

    It is for what this machine trains on, unless `gpu` says.

    - weights: 0.516 bytes a quantised one, 4 one beside (peft holds those in float32); as `compute`
      says for `lora`; float32 for `full`.
    - training: gradient and AdamW's two moments, 4 bytes each, and an adapter's own 4.
    - activations: 34 x tokens x width bytes a layer in 16 bits (2, and one layer's 34, with
      checkpointing), and the logits of the answers, with their gradient, in float32; with `dpo` a
      batch has both sides of its rows.
    """
    linear = sum(i * o for i, o in architecture.linear_layers.values())
    size = 2 if settings.compute != "float32" else 4
    weight_bytes = {
        "qlora": linear * NF4_BITS / 8 + 4 * architecture.other_parameters,
        "lora": size * (linear + architecture.other_parameters),
        "full": 4 * (linear + architecture.other_parameters),
    }[settings.method]
    bytes_per_parameter = 12 if settings.method == "full" else 16
    trained = bytes_per_parameter * architecture.trainable_parameters(settings)
    is_gpu = local_device() != "cpu" if gpu is None else gpu
    text = config.get("text_config") or config
    return MemoryEstimate(weight_bytes, trained, _activation_bytes(settings, rows, text, is_gpu))


def free_memory() -> int:
    """Return the bytes that are free where the model is going to be: on the GPU, or in RAM."""
    if local_device() != "cpu":
        return int(torch.cuda.mem_get_info(local_device())[0])
    psutil: Any = import_module("psutil")  # accelerate needs it; it has no types
    available = int(psutil.virtual_memory().available)
    return min([available, *_container_free()])


def format_bytes(size: float) -> str:
    """Return bytes as text, in GB (10^9), or MB where that reads better."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def _activation_bytes(
    settings: Settings, rows: Sequence[EncodedRow], config: dict[str, Any], gpu: bool
) -> float:
    longest_row = max((len(row.ids) for row in rows), default=0)
    batch = settings.batch * settings.conversations_per_row
    answer = min(longest_row, batch * max((row.trained_tokens for row in rows), default=0))
    width, layers = config.get("hidden_size") or 0, config.get("num_hidden_layers") or 0
    is_wide = not gpu or settings.compute == "float32" or settings.method == "full"
    unit = batch * longest_row * width * (2 if is_wide else 1)
    bytes_kept = (
        CHECKPOINTED_LAYER_BYTES * layers + LAYER_BYTES
        if settings.gradient_checkpointing
        else LAYER_BYTES * layers
    )
    logits = 2 * 4 * batch * answer * (config.get("vocab_size") or 0)
    return float(unit * bytes_kept + logits)


def _container_free(folder: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """Return what a container's own limit leaves free, [] where it has none (Linux, cgroup v2)."""
    try:
        most, used = ((folder / name).read_text() for name in ("memory.max", "memory.current"))
        return [max(int(most) - int(used), 0)]
    except (OSError, ValueError):  # "max": no limit
        return []
