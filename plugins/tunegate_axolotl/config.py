"""A run's settings and rows as Axolotl takes them (tried with its 0.19).

The rows are written as token ids and labels, the very ones that are trained on here. Of messages
Axolotl would make the same ids, but other labels: it learns a message's content and the token that
ends the turn, and not what a chat template writes around the content (Qwen3's empty `<think>`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from tunegate.tokenization.encode import EncodedRow
from tunegate_qlora.config.settings import Settings

AXOLOTL_VERSION = "0.19"


def axolotl_config(settings: Settings, base: str, counts: Mapping[str, int]) -> str:
    """Return the configuration as YAML; `counts` are the rows of each split, in `SPLIT.jsonl`."""
    table: dict[str, Any] = {"base_model": base, **_method_settings(settings)}
    table["datasets"] = [_dataset("train.jsonl")]
    if counts.get("validation"):
        table["test_datasets"] = [_dataset("validation.jsonl")]
    steps = math.ceil(math.ceil(counts["train"] / settings.batch) / settings.accumulation)
    validation_settings = (
        _validation_settings(settings, steps)
        if counts.get("validation")
        else {"save_strategy": "epoch"}
    )
    return _to_yaml(
        table
        | _training_settings(settings, _epochs_to_ask(settings, counts["train"], steps))
        | validation_settings
    )


def axolotl_rows(encoded: Iterable[EncodedRow]) -> Iterator[dict[str, list[int]]]:
    """Yield each row in the three columns by which Axolotl knows that nothing is to be encoded."""
    for row in encoded:
        yield {"input_ids": row.ids, "attention_mask": [1] * len(row.ids), "labels": row.labels}


def _dataset(file: str) -> dict[str, Any]:
    return {"path": file, "ds_type": "json", "split": "train"}  # as `datasets` calls all of a file


def _epochs_to_ask(settings: Settings, rows: int, steps: int) -> float:
    """Return the epochs to ask for, so that every row is seen as often as here.

    Axolotl takes ceil(rows x epochs / batch) steps, which ends before the last epoch does where
    the last batch of an epoch is smaller.
    """
    batch = settings.batch * settings.accumulation
    if math.ceil(rows * settings.epochs / batch) == settings.epochs * steps:
        return settings.epochs
    return math.floor(settings.epochs * steps * batch / rows * 1e6) / 1e6


def _validation_settings(settings: Settings, steps: int) -> dict[str, Any]:
    """Return how validation is used; with `epoch` Axolotl silently keeps the last weights."""
    if settings.keep == "last":
        return {"eval_strategy": "epoch", "save_strategy": "epoch"}
    patience = {"early_stopping_patience": settings.patience} if settings.patience else {}
    best = {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
    return {"eval_steps": steps, "save_steps": steps, **best, **patience}


def _method_settings(settings: Settings) -> dict[str, Any]:
    if settings.method == "full":
        return {}
    targets = settings.targets
    return {
        "adapter": settings.method,
        "load_in_4bit": settings.quantisation == "nf4",  # NF4, double: Axolotl's own too
        "lora_r": settings.r,
        "lora_alpha": settings.alpha,
        "lora_dropout": settings.dropout,
        **(
            {"lora_target_modules": targets}
            if isinstance(targets, list)
            else {"lora_target_linear": True}
        ),
    }


def _training_settings(settings: Settings, epochs: float) -> dict[str, Any]:
    return {
        "sequence_len": settings.max_length,
        "excess_length_strategy": "raise",  # none is longer: `on_overflow` was heeded here
        "sample_packing": False,
        "group_by_length": True,
        "num_epochs": epochs,
        "micro_batch_size": settings.batch,
        "gradient_accumulation_steps": settings.accumulation,
        "learning_rate": settings.learning_rate,
        "lr_scheduler": settings.schedule,
        "warmup_ratio": settings.warmup,
        "optimizer": "adamw_torch",
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.clip,
        "seed": settings.seed,
        **_precision_settings(settings),
        "gradient_checkpointing": settings.gradient_checkpointing,
        "output_dir": "./out",
    }


def _precision_settings(settings: Settings) -> dict[str, bool]:
    """Return the number formats: with `bf16` Axolotl would train weights held in 16 bits."""
    if settings.method == "full":
        return {"bf16": False, "fp16": False, "tf32": settings.compute != "float32"}
    half = settings.compute
    return {"bf16": half == "bfloat16", "fp16": half == "float16", "tf32": False}


def _to_yaml(table: Mapping[str, Any]) -> str:
    yaml: Any = import_module("yaml")  # transformers needs it: wherever a run is encoded, it is
    text: str = yaml.safe_dump(table, sort_keys=False, allow_unicode=True, width=100)
    return text
