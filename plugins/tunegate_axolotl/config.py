"""Translate a run's settings and rows into Axolotl's (tried with Axolotl 0.19).

Rows are written as the token ids and labels that are trained on here. From messages Axolotl would
make the same ids and other labels: it trains a message's content and the token that ends the turn,
and not what a chat template writes around the content (Qwen3's empty `<think>`).
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from tunegate.tokenization.encode import EncodedRow
from tunegate_qlora.config import Settings

AXOLOTL_VERSION = "0.19"


def axolotl_config(settings: Settings, base: str, counts: Mapping[str, int]) -> str:
    """Return the configuration as YAML; `counts` are the rows of each split, in `SPLIT.jsonl`."""
    yaml: Any = import_module("yaml")  # transformers requires it; it has no types
    is_full, has_validation = settings.method == "full", bool(counts.get("validation"))
    steps = math.ceil(math.ceil(counts["train"] / settings.batch) / settings.accumulation)
    table: dict[str, Any] = {"base_model": base}
    if not is_full:
        targets = settings.targets
        table |= {
            "adapter": settings.method,
            "load_in_4bit": settings.quantisation == "nf4",  # double quantisation, as here
            "lora_r": settings.r,
            "lora_alpha": settings.alpha,
            "lora_dropout": settings.dropout,
        }
        is_list = isinstance(targets, list)
        table |= {"lora_target_modules": targets} if is_list else {"lora_target_linear": True}

    # `datasets` calls all rows of a file the split `train`.
    file_format = {"ds_type": "json", "split": "train"}
    table["datasets"] = [{"path": "train.jsonl", **file_format}]
    if has_validation:
        table["test_datasets"] = [{"path": "validation.jsonl", **file_format}]
    table |= {
        "sequence_len": settings.max_length,
        "excess_length_strategy": "raise",  # no row is longer: `on_overflow` was applied
        "sample_packing": False,
        "group_by_length": True,
        "num_epochs": epochs_to_request(settings, counts["train"], steps),
        "micro_batch_size": settings.batch,
        "gradient_accumulation_steps": settings.accumulation,
        "learning_rate": settings.learning_rate,
        "lr_scheduler": settings.schedule,
        "warmup_ratio": settings.warmup,
        "optimizer": "adamw_torch",
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.clip,
        "seed": settings.seed,
        # With `bf16` Axolotl would hold the weights that `full` trains in 16 bits.
        "bf16": settings.compute == "bfloat16" and not is_full,
        "fp16": settings.compute == "float16" and not is_full,
        "tf32": settings.compute != "float32" and is_full,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "output_dir": "./out",
    }
    if not has_validation:
        table["save_strategy"] = "epoch"
    elif settings.keep == "last":
        table |= {"eval_strategy": "epoch", "save_strategy": "epoch"}
    else:  # with the strategy `epoch`, Axolotl would keep the last weights without a warning
        table |= {"eval_steps": steps, "save_steps": steps}
        table |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
        if settings.patience:
            table["early_stopping_patience"] = settings.patience
    text: str = yaml.safe_dump(table, sort_keys=False, allow_unicode=True, width=100)
    return text


def epochs_to_request(settings: Settings, rows: int, steps: int) -> float:
    """Return the number of epochs that makes Axolotl train on every row as often as here.

    Axolotl takes ceil(rows x epochs / batch) optimiser steps. Where the last batch of an epoch is
    smaller than the others, these end before the last epoch does. `steps` are those of an epoch.
    """
    batch = settings.batch * settings.accumulation
    if math.ceil(rows * settings.epochs / batch) == settings.epochs * steps:
        return settings.epochs
    epochs = math.floor(settings.epochs * steps * batch / rows * 1e6) / 1e6
    # Floats may round rows x epochs / batch up, beyond the whole number of steps.
    has_extra_step = math.ceil(rows * epochs / batch) > settings.epochs * steps
    return round(epochs - 1e-6, 6) if has_extra_step else epochs


def axolotl_rows(encoded: Iterable[EncodedRow]) -> Iterator[dict[str, list[int]]]:
    """Yield each row in the three columns that Axolotl takes for tokenised rows."""
    for row in encoded:
        yield {"input_ids": row.ids, "attention_mask": [1] * len(row.ids), "labels": row.labels}
