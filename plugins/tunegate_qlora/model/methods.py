"""The three methods: what is loaded, what of it is trained, and what is saved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..config.settings import Decoding, Settings
from ..runtime import process_group
from . import adapter, full
from . import adapter as lora
from .load import load_base
from .metadata import ModelMetadata


@dataclass(frozen=True, slots=True)
class ParameterCount:
    """How many parameters a model has, counted as if nothing were quantised."""

    trainable: int
    total: int

    def __str__(self) -> str:
        share = 100 * self.trainable / self.total
        return f"{self.trainable:,} of {self.total:,} parameters trainable ({share:.2f} %)"


def output_name(settings: Settings) -> str:
    """Return the name of what a training leaves in its run's folder."""
    return "model" if settings.method == "full" else "adapter"


def load_trainable(root: Path, settings: Settings) -> Any:
    """Return the base of this folder, loaded and made ready to train.

    Where every weight is trained they are float32: in 16 bits most steps would round to nothing.
    """
    is_sharded = settings.sharding == "fsdp"
    if settings.method != "full":
        return lora.attach_adapter(load_base(root, settings.decoding, sharded=is_sharded), settings)
    plain_decoding = Decoding(quantisation="none", compute="float32")
    return full.make_trainable(load_base(root, plain_decoding, sharded=is_sharded))


def unwrap(model: Any) -> Any:
    """Return the network itself, whatever is wrapped around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def count_parameters(model: Any) -> ParameterCount:
    """Count the parameters of a model that is ready to train."""
    if hasattr(model, "get_nb_trainable_parameters"):  # knows how many a 4-bit weight holds
        return ParameterCount(*model.get_nb_trainable_parameters())
    total = sum(p.numel() for p in model.parameters())
    return ParameterCount(sum(p.numel() for p in model.parameters() if p.requires_grad), total)


def save_trained(
    model: Any, folder: Path, root: Path, settings: Settings, metadata: ModelMetadata
) -> None:
    """Write what was trained into a folder; raise OSError. Of several processes the first does."""
    if settings.method != "full":
        adapter.save_adapter(model, folder, metadata)
        return
    gathered = full.gather_shards(model, root) if settings.sharding == "fsdp" else model
    if process_group.is_main():
        full.save_full(gathered, folder, root, metadata)


def round_to_saved_dtype(model: Any, root: Path, settings: Settings) -> None:
    """Round every weight as its file does, and as it will answer: to be called after `save_trained`.

    What is read back is then the same to the last bits, or was written wrongly. An adapter stays
    float32 throughout; of a model that is shared out (FSDP) no weight is changed here.
    """
    if settings.method == "full" and settings.sharding == "none":
        compute = getattr(torch, settings.compute)
        for weight in model.parameters():
            weight.data = weight.data.to(full.stored_dtype(root)).to(compute)


def load_trained(folder: Path, root: Path, settings: Settings) -> Any:
    """Load from disk what `save_trained` wrote, as it will answer."""
    if settings.method == "full":
        return load_base(folder, settings.decoding)
    return adapter.load_adapter(load_base(root, settings.decoding), folder)
