"""A LoRA adapter: attached to a base, saved, read back, described."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import Settings
from .metadata import ModelMetadata, read_metadata, write_metadata

_CONFIG_FILE = "adapter_config.json"


def attach_adapter(model: Any, settings: Settings) -> Any:
    """Attach a fresh adapter to a base: low-rank matrices beside linear layers, the base frozen.

    The adapter, and the weights of the base that are not quantised, become float32 as in QLoRA
    (arXiv:2305.14314). Raises ValueError where `targets` names layers that the base does not have.
    """
    import peft as untyped

    from .load import disable_repacking

    peft: Any = untyped

    if settings.quantisation == "nf4":
        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    if settings.gradient_checkpointing:
        model.enable_input_require_grads()
    config = peft.LoraConfig(
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=settings.targets,
        task_type="CAUSAL_LM",
    )
    tuned = peft.get_peft_model(model, config)
    disable_repacking(tuned)
    return tuned


def save_adapter(model: Any, folder: Path, metadata: ModelMetadata) -> None:
    """Write the adapter into a folder; raise OSError.

    All processes of a group must call this, since each may hold a shard; the first one writes.
    """
    from ..runtime import process_group  # imports torch

    weights = None  # peft takes them from the model
    if process_group.is_distributed():
        weights = {
            name: process_group.full_tensor(parameter)
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }
    if process_group.is_main():
        model.save_pretrained(folder, state_dict=weights)
        finalise(folder, metadata)


def finalise(folder: Path, metadata: ModelMetadata) -> None:
    """Complete a folder that peft has written an adapter into; raise OSError.

    The base is named as the project names it, and what peft writes in the order of a set is
    sorted, so that the same training writes the same bytes.
    """
    (folder / "README.md").unlink(missing_ok=True)  # peft's template, with nothing filled in
    path = folder / _CONFIG_FILE
    config = json.loads(path.read_bytes())
    config["base_model_name_or_path"] = metadata.base
    if isinstance(config.get("target_modules"), list):
        config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True))
    write_metadata(folder, metadata)


def load_adapter(model: Any, folder: Path | None) -> Any:
    """Put the adapter of a folder on a loaded base; return the base as it is for None."""
    if folder is None:
        return model
    from peft import PeftModel

    from .load import disable_repacking

    tuned = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    disable_repacking(tuned)
    return tuned.eval()


def is_adapter(folder: Path) -> bool:
    """Return whether a folder holds an adapter rather than a whole model."""
    return (folder / _CONFIG_FILE).is_file()


def read_adapter_metadata(folder: Path) -> ModelMetadata:
    """Read an adapter's metadata, with the base that peft's file names; raise ValueError."""
    try:
        config = json.loads((folder / _CONFIG_FILE).read_bytes())
        base_name = str(config["base_model_name_or_path"])
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder} holds no adapter that can be read: {error}") from None
    return replace(read_metadata(folder), base=base_name)
