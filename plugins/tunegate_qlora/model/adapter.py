"""The adapter on disk, knowing what it was trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunegate.utils.hashing import sha256_spaced_json

from ..config.settings import Settings
from . import base
from . import metadata as notes
from .load import disable_repacking
from .metadata import ModelMetadata

_CONFIG_FILE = "adapter_config.json"


def save_adapter(model: Any, folder: Path, metadata: ModelMetadata) -> None:
    """Write the adapter into a folder; raise OSError. Of several processes the first does."""
    from ..runtime import process_group

    trained_parameters = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    weights = (
        {n: process_group.full_tensor(p) for n, p in trained_parameters}
        if process_group.is_distributed()
        else None
    )
    if process_group.is_main():
        model.save_pretrained(folder, state_dict=weights)
        finalise(folder, metadata)


def finalise(folder: Path, metadata: ModelMetadata) -> None:
    """Make what peft wrote into a folder an adapter of this project; raise OSError."""
    (folder / "README.md").unlink(missing_ok=True)  # peft's: a form with nothing filled in
    _normalise_config(folder / _CONFIG_FILE, metadata.base)
    notes.write_metadata(folder, metadata)


def load_adapter(model: Any, folder: Path | None) -> Any:
    """Return a loaded base with the adapter of this folder on it; the base itself for None."""
    if folder is None:
        return model
    from peft import PeftModel

    from .load import disable_repacking

    tuned = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    disable_repacking(tuned)
    return tuned.eval()


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter rather than a whole model."""
    return (folder / _CONFIG_FILE).is_file()


def read_adapter_metadata(folder: Path) -> ModelMetadata:
    """Return what an adapter says of its base; raise ValueError where it says nothing readable."""
    try:
        config = json.loads((folder / _CONFIG_FILE).read_bytes())
        base_name = str(config["base_model_name_or_path"])
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder} holds no adapter that can be read: {error}") from None
    return replace(notes.read_metadata(folder), base=base_name)


def adapter_digest(folder: Path, base_digest: str) -> str:
    """Return the digest of a trained model: of its adapter's files and of its base."""
    return sha256_spaced_json({"adapter": base.base_digest(folder), "base": base_digest})


def _normalise_config(path: Path, base_name: str) -> None:
    """Name the base as the project does, and sort what peft writes in the order of a set."""
    config = json.loads(path.read_bytes())
    config["base_model_name_or_path"] = base_name
    if isinstance(config.get("target_modules"), list):
        config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True))


# [merged] The adapter on the base: low-rank matrices beside every linear layer, the base itself frozen.


def attach_adapter(model: Any, settings: Settings) -> Any:
    """Return the base with a fresh adapter, ready to train.

    The adapter and what is not quantised are float32, as in QLoRA. Raises ValueError where
    `targets` names layers that the base does not have.
    """
    import peft as untyped

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
