"""A run's settings and rows as Axolotl takes them (its 0.18: docs, and src/axolotl/utils/schemas).

Where the two differ, what counts is what is learnt: the same tokens of the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from tunegate.dataset import Example, content_text
from tunegate.encode import IGNORED, Row
from tunegate.template import Template

from .config import Settings

VERSION = "0.18"
_DROPPED = ("weight", "content")  # what a message says otherwise, below


def config(settings: Settings, base: str, files: Mapping[str, str], ends: list[str]) -> str:
    """Return the configuration as YAML.

    `files` names the data files by split, `ends` the tokens that end a learnt turn, where one is
    not the tokenizer's `eos_token`.
    """
    table: dict[str, Any] = {"base_model": base, **_method(settings)}
    table |= {"chat_template": "tokenizer_default", "train_on_inputs": False}
    table |= {"eot_tokens": ends} if ends else {}
    table["datasets"] = [_dataset(files["train"])]
    if "validation" in files:
        table["test_datasets"] = [_dataset(files["validation"])]
        table["eval_strategy"] = "epoch"
    return _yaml(table | _training(settings))


def rows(examples: Iterable[Example]) -> Iterator[dict[str, Any]]:
    """Yield each example as messages with text for content, and whether each is learnt."""
    for example in examples:
        yield {"messages": [_message(message) for message in example.messages]}


def ends(encoded: Iterable[Row], template: Template) -> list[str]:
    """Return the tokens that end learnt turns, [] where that is the tokenizer's `eos_token`."""
    found: set[int] = set()
    for row in encoded:
        after = [*row.labels[1:], IGNORED]
        found |= {a for a, b in zip(row.labels, after, strict=True) if a != IGNORED == b}
    if found <= {template.tokenizer.eos_token_id}:
        return []
    names: list[str] = template.tokenizer.convert_ids_to_tokens(sorted(found))
    return names


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in message.items() if key not in _DROPPED}
    learnt = message["role"] == "assistant" and message.get("weight", 1) != 0
    return kept | {"content": content_text(message), "train": learnt}


def _dataset(file: str) -> dict[str, Any]:
    return {
        "path": file,
        "ds_type": "json",
        "split": "train",  # what `datasets` calls all of a file
        "type": "chat_template",
        "field_messages": "messages",
        "message_property_mappings": {"role": "role", "content": "content"},
        "roles_to_train": ["assistant"],
        "message_field_training": "train",  # false for an assistant message of weight 0
        "train_on_eos": "turn",
    }


def _method(settings: Settings) -> dict[str, Any]:
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


def _training(settings: Settings) -> dict[str, Any]:
    best = {"load_best_model_at_end": True} if settings.keep == "best" else {}
    return {
        "sequence_len": settings.max_length,
        "excess_length_strategy": "drop" if settings.on_overflow == "drop" else "raise",
        "sample_packing": False,
        "group_by_length": True,
        "num_epochs": settings.epochs,
        "micro_batch_size": settings.batch,
        "gradient_accumulation_steps": settings.accumulation,
        "learning_rate": settings.learning_rate,
        "lr_scheduler": settings.scheduler,
        "warmup_ratio": settings.warmup,
        "optimizer": "adamw_torch",
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.clip,
        "seed": settings.seed,
        "bf16": settings.compute == "bfloat16",
        "fp16": settings.compute == "float16",
        "tf32": False,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "save_strategy": "epoch",
        **best,
        "output_dir": "./out",
    }


def _yaml(table: Mapping[str, Any]) -> str:
    yaml: Any = import_module("yaml")  # transformers needs it: wherever a run is encoded, it is
    text: str = yaml.safe_dump(table, sort_keys=False, allow_unicode=True, width=100)
    return text
