"""What each method (`qlora`, `lora`, `full`) loads, trains, saves and loads again."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..config import Decoding, Settings
from ..runtime import process_group
from . import adapter, full
from .load import load_base
from .metadata import ModelMetadata


class ParameterCount(NamedTuple):
    """The numbers of parameters of a model; a weight in 4 bits counts as one, like any other."""

    trainable: int
    total: int


def load_trainable(root: Path, settings: Settings) -> Any:
    """Load the base of a folder, with what is trained set to require gradients.

    For `full` every weight is float32: in 16 bits most steps would be rounded to nothing.
    """
    is_sharded = settings.sharding == "fsdp"
    if settings.method != "full":
        model = load_base(root, settings.decoding, sharded=is_sharded)
        return adapter.attach_adapter(model, settings)
    plain_decoding = Decoding(quantisation="none", compute="float32")
    return load_base(root, plain_decoding, sharded=is_sharded).requires_grad_(True)


def unwrap(model: Any) -> Any:
    """Return the model of transformers, without the wrapper that peft puts around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def supports_logits_to_keep(model: Any) -> bool:
    """Whether a model can compute the logits of chosen positions alone."""
    return "logits_to_keep" in inspect.signature(unwrap(model).forward).parameters


def count_parameters(model: Any) -> ParameterCount:
    """Count the parameters of a model that is ready to train."""
    if hasattr(model, "get_nb_trainable_parameters"):  # peft: counts what 4-bit weights stand for
        return ParameterCount(*model.get_nb_trainable_parameters())
    total = sum(p.numel() for p in model.parameters())
    return ParameterCount(sum(p.numel() for p in model.parameters() if p.requires_grad), total)


def save_trained(
    model: Any, folder: Path, root: Path, settings: Settings, metadata: ModelMetadata
) -> None:
    """Write the adapter or the whole model; raise OSError.

    All processes of a group must call this; the first one writes.
    """
    if settings.method != "full":
        adapter.save_adapter(model, folder, metadata)
        return
    gathered = full.gather_shards(model, root) if settings.sharding == "fsdp" else model
    if process_group.is_main():
        full.save_full(gathered, folder, root, metadata)


def round_to_saved_dtype(model: Any, root: Path, settings: Settings) -> None:
    """Round the weights in memory to the format of the saved file, then to that of inference.

    Call this after `save_trained`: the loss in memory then equals the loss of the saved model, up
    to the last bits. An adapter is float32 everywhere, and a model sharded by FSDP is left as it
    is.
    """
    if settings.method == "full" and settings.sharding == "none":
        compute = getattr(torch, settings.compute)
        for weight in model.parameters():
            weight.data = weight.data.to(full.stored_dtype(root)).to(compute)


def load_trained(folder: Path, root: Path, settings: Settings) -> Any:
    """Load what `save_trained` wrote, quantised as for inference."""
    if settings.method == "full":
        return load_base(folder, settings.decoding)
    return adapter.load_adapter(load_base(root, settings.decoding), folder)
