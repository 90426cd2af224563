from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from tiny_llama import ticket

from tunegate.data.dataset import Dataset
from tunegate.tokenization.encode import encode_example
from tunegate_axolotl import export
from tunegate_qlora.config import Settings
from tunegate_qlora.trainer import QLoRATrainer

# Every key of ours, as Axolotl 0.19 declares it: axolotl/utils/schemas/*.py.
KNOWN = {
    *("base_model", "adapter", "load_in_4bit", "lora_r", "lora_alpha", "lora_dropout"),
    *("lora_target_linear", "lora_target_modules", "datasets", "test_datasets", "eval_strategy"),
    *("sequence_len", "excess_length_strategy", "sample_packing", "group_by_length", "num_epochs"),
    *("micro_batch_size", "gradient_accumulation_steps", "learning_rate", "lr_scheduler"),
    *("warmup_ratio", "optimizer", "weight_decay", "max_grad_norm", "seed", "bf16", "fp16"),
    *("tf32", "gradient_checkpointing", "save_strategy", "load_best_model_at_end", "output_dir"),
    *("save_steps", "eval_steps", "metric_for_best_model", "early_stopping_patience"),
}


def made(project: Path, train: int = 24, validation: int = 6, **said: Any) -> dict[str, Any]:
    resolved = QLoRATrainer().resolve({"base": "base", **said}, project)
    counts = {"train": train, "validation": validation}
    text = export.axolotl_config(Settings.model_validate(dict(resolved)), "org/base", counts)
    table: dict[str, Any] = yaml.safe_load(text)
    return table


@pytest.mark.parametrize(
    "said", [{}, {"method": "lora"}, {"method": "full"}, {"patience": 2, "targets": ["q_proj"]}]
)
def test_every_key_is_one_that_axolotl_knows(project: Path, said: dict[str, Any]) -> None:
    table = made(project, **said)
    assert set(table) <= KNOWN
    assert table["datasets"] == [{"path": "train.jsonl", "ds_type": "json", "split": "train"}]
    assert table["test_datasets"][0]["path"] == "validation.jsonl"


def test_settings_are_those_of_the_run(project: Path) -> None:
    said = {"epochs": 2, "batch": 4, "accumulation": 3, "learning_rate": 2e-5, "r": 8, "alpha": 4}
    table = made(project, warmup=0.1, dropout=0.2, max_length=99, seed=7, clip=0.5, **said)
    expected = {
        **{"base_model": "org/base", "adapter": "qlora", "load_in_4bit": True, "lora_r": 8},
        **{"lora_alpha": 4, "lora_dropout": 0.2, "lora_target_linear": True, "num_epochs": 2},
        **{"micro_batch_size": 4, "gradient_accumulation_steps": 3, "learning_rate": 2e-5},
        **{"lr_scheduler": "cosine", "warmup_ratio": 0.1, "sequence_len": 99, "seed": 7},
        **{"max_grad_norm": 0.5, "bf16": True, "fp16": False, "tf32": False},
        **{"excess_length_strategy": "raise", "sample_packing": False},
    }
    assert {key: table[key] for key in expected} == expected


def test_a_method_is_told_by_its_adapter(project: Path) -> None:
    lora, full = made(project, method="lora"), made(project, method="full")
    assert (lora["adapter"], lora["load_in_4bit"]) == ("lora", False)
    assert {"adapter", "lora_r", "load_in_4bit"}.isdisjoint(full)


def test_weights_that_are_all_trained_are_not_held_in_16_bits(project: Path) -> None:
    for said, tf32 in (("bfloat16", True), ("float32", False)):
        full = made(project, method="full", compute=said)
        assert (full["bf16"], full["fp16"], full["tf32"]) == (False, False, tf32)


def test_the_best_epoch_is_kept_where_axolotl_would_forget_it(project: Path) -> None:
    last, best = made(project, batch=5), made(project, batch=5, accumulation=2, patience=2)
    assert (last["eval_strategy"], last["save_strategy"]) == ("epoch", "epoch")
    # Its HFCausalTrainerBuilder wants steps, the one a multiple of the other, or keeps the last.
    assert best["eval_steps"] == best["save_steps"] == 3
    assert best["load_best_model_at_end"]
    assert best["early_stopping_patience"] == 2
    assert {"eval_strategy", "save_strategy"}.isdisjoint(best)
    assert "early_stopping_patience" not in made(project, keep="best")


def test_without_validation_nothing_is_judged(project: Path) -> None:
    table = made(project, validation=0, keep="best")
    assert {"test_datasets", "eval_strategy", "load_best_model_at_end"}.isdisjoint(table)


few = st.integers(1, 9)


@example(rows=875, epochs=3, batch=60, accumulation=7)  # 875 x 4.32 / 420 > 9 in floats
@given(rows=st.integers(1, 5000), epochs=few, batch=st.integers(1, 64), accumulation=few)
def test_axolotl_takes_as_many_steps_as_whole_epochs_have(
    rows: int, epochs: int, batch: int, accumulation: int
) -> None:
    said = {"epochs": epochs, "batch": batch, "accumulation": accumulation}
    settings = Settings.model_validate({"base": "base"} | said)
    table = yaml.safe_load(export.axolotl_config(settings, "org/base", {"train": rows}))
    size = table["micro_batch_size"] * table["gradient_accumulation_steps"]
    taken = math.ceil(rows * table["num_epochs"] / size)  # its calculate_total_num_steps
    assert taken == epochs * math.ceil(math.ceil(rows / batch) / accumulation)


def test_rows_are_the_ids_and_labels_that_are_trained_on_here(template: Any) -> None:
    rows = [encode_example(e, template) for e in Dataset.of([ticket(0), ticket(1)])]
    for row, told in zip(rows, export.axolotl_rows(rows), strict=True):
        # With these three columns Axolotl encodes nothing: its _is_dataset_already_tokenized.
        assert list(told) == ["input_ids", "attention_mask", "labels"]
        assert (told["input_ids"], told["labels"]) == (row.ids, row.labels)
        assert told["attention_mask"] == [1] * len(row.ids)
        assert json.loads(json.dumps(told)) == told
