"""The adapter on the base: low-rank matrices beside every linear layer, the base itself frozen."""

from __future__ import annotations

from typing import Any

from .config import Settings
from .quantise import disable_repacking


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
