"""Merges an adapter into its base: one dense model, not quantised.

The adapter was trained beside quantised weights, so it is merged into these, dequantised. Merged
into the original weights it would make a model that was never trained, and merged into 4-bit
weights it would be lost in rounding. The caller compares the losses of both models.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from ..config import Settings
from .architecture import describe_architecture
from .metadata import read_adapter_metadata
from .weights import load_adapter, load_base, save_full


def merge_adapter(tuned: Path, root: Path, settings: Settings, folder: Path) -> None:
    """Write a base with its adapter merged in, as a whole model in the base's number format.

    Args:
        tuned: The adapter's folder.
        root: The base's folder.
        settings: The settings of the training, which say how the base was quantised.
        folder: The folder to write to.

    Raises:
        OSError: The folder cannot be written.
        ValueError: The adapter cannot be read.
    """
    from transformers.pytorch_utils import Conv1D

    metadata = read_adapter_metadata(tuned)
    layers = dict(describe_architecture(root).model.named_modules())
    model = load_base(root, settings.decoding)
    if settings.quantisation == "nf4":
        model = model.dequantize(torch.float32)
    merged = load_adapter(model.float(), tuned).merge_and_unload().to("cpu")
    # A quantised Conv1D (GPT-2) has become a linear layer, whose weight lies the other way round.
    turned = {f"{name}.weight" for name, layer in layers.items() if isinstance(layer, Conv1D)}
    if settings.quantisation == "nf4":
        for name, weight in merged.named_parameters():
            if name in turned:
                weight.data = weight.data.T.contiguous()
    decoding = metadata.decoding.model_copy(update={"quantisation": "none"})
    save_full(merged, folder, root, replace(metadata, decoding=decoding))
