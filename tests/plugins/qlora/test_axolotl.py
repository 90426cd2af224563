from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_llama import ticket

from tunegate.dataset import Dataset
from tunegate.encode import encode
from tunegate_qlora import axolotl
from tunegate_qlora.config import Settings
from tunegate_qlora.trainer import QLoRA

# Every key of ours, as Axolotl 0.18 declares it: src/axolotl/utils/schemas/*.py.
KNOWN = {
    *("base_model", "adapter", "load_in_4bit", "lora_r", "lora_alpha", "lora_dropout"),
    *("lora_target_linear", "lora_target_modules", "chat_template", "train_on_inputs"),
    *("eot_tokens", "datasets", "test_datasets", "eval_strategy", "sequence_len"),
    *("excess_length_strategy", "sample_packing", "group_by_length", "num_epochs"),
    *("micro_batch_size", "gradient_accumulation_steps", "learning_rate", "lr_scheduler"),
    *("warmup_ratio", "optimizer", "weight_decay", "max_grad_norm", "seed", "bf16", "fp16"),
    *("tf32", "gradient_checkpointing", "save_strategy", "load_best_model_at_end", "output_dir"),
}
KNOWN_OF_DATASETS = {
    *("path", "ds_type", "split", "type", "field_messages", "message_property_mappings"),
    *("roles_to_train", "message_field_training", "train_on_eos"),
}


def made(project: Path, *ends: str, **said: Any) -> dict[str, Any]:
    resolved = QLoRA().resolve({"base": "base", **said}, project)
    files = {"train": "train.jsonl", "validation": "validation.jsonl"}
    text = axolotl.config(Settings.model_validate(dict(resolved)), "org/base", files, list(ends))
    table: dict[str, Any] = yaml.safe_load(text)
    return table


@pytest.mark.parametrize(
    "said", [{}, {"method": "lora"}, {"method": "full"}, {"keep": "best", "targets": ["q_proj"]}]
)
def test_every_key_is_one_that_axolotl_knows(project: Path, said: dict[str, Any]) -> None:
    table = made(project, "<|end|>", **said)
    assert set(table) <= KNOWN
    assert set(table["datasets"][0]) == set(table["test_datasets"][0]) == KNOWN_OF_DATASETS


def test_settings_are_those_of_the_run(project: Path) -> None:
    said = {"epochs": 2, "batch": 4, "accumulation": 3, "learning_rate": 2e-5, "r": 8, "alpha": 4}
    table = made(project, warmup=0.1, dropout=0.2, max_length=99, seed=7, clip=0.5, **said)
    expected = {
        **{"base_model": "org/base", "adapter": "qlora", "load_in_4bit": True, "lora_r": 8},
        **{"lora_alpha": 4, "lora_dropout": 0.2, "lora_target_linear": True, "num_epochs": 2},
        **{"micro_batch_size": 4, "gradient_accumulation_steps": 3, "learning_rate": 2e-5},
        **{"lr_scheduler": "cosine", "warmup_ratio": 0.1, "sequence_len": 99, "seed": 7},
        **{"max_grad_norm": 0.5, "bf16": True, "fp16": False, "train_on_inputs": False},
        **{"chat_template": "tokenizer_default", "excess_length_strategy": "raise"},
    }
    assert {key: table[key] for key in expected} == expected


def test_a_method_is_told_by_its_adapter(project: Path) -> None:
    lora, full = made(project, method="lora"), made(project, method="full")
    assert (lora["adapter"], lora["load_in_4bit"]) == ("lora", False)
    assert {"adapter", "lora_r", "load_in_4bit"}.isdisjoint(full)


def test_learnt_messages_are_marked_and_content_is_text() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
        {"role": "assistant", "content": "b", "weight": 0},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"},
    ]
    (row,) = axolotl.rows(Dataset.of([{"messages": messages}]))
    told = [(m["role"], m["content"], m["train"]) for m in row["messages"]]
    assert told == [
        *(("user", "a", False), ("assistant", "b", False)),
        *(("user", "c", False), ("assistant", "d", True)),
    ]
    assert all("weight" not in m for m in row["messages"])


def test_only_an_end_that_is_not_eos_is_named(template: Any, project: Path) -> None:
    rows = [encode(e, template) for e in Dataset.of([ticket(0), ticket(1)])]
    assert axolotl.ends(rows, template) == []
    other = template.tokenizer.convert_tokens_to_ids("<|im_start|>")
    rows[0].labels[rows[0].labels.index(2)] = other  # another token ends the turn
    assert axolotl.ends(rows, template) == ["<|im_start|>", "<|im_end|>"]
    assert "eot_tokens" not in made(project)
    assert made(project, "<|end|>")["eot_tokens"] == ["<|end|>"]
