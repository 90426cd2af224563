"""Export a run as a folder for Axolotl (tried with 0.19), with a manifest to check an import by.

Rows are written as the token ids and labels that are trained on here. From messages Axolotl would
make the same ids and other labels: it trains a message's content and the token that ends the turn,
and not what a chat template writes around the content (Qwen3's empty `<think>`).
"""

import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tunegate.storage.state_dir import Run
from tunegate.tokenization.encode import EncodedRow
from tunegate.utils.files import atomic_folder
from tunegate_qlora.config import Settings
from tunegate_qlora.data import training_data

MANIFEST_FILE = "tunegate-run.json"  # not `tunegate.json`, the metadata beside a model's weights
CONFIG_FILE = "axolotl.yaml"
_TEXTS = tomllib.loads(Path(__file__).with_name("export.toml").read_text("utf-8"))
NOT_EXPORTED, CONFIG_HEADER = _TEXTS["not_exported"], _TEXTS["config"]["header"]


def write_export(run: Run, folder: Path) -> list[str]:
    """Write configuration, rows and `tunegate-run.json` to a new folder; return the files' names.

    The folder is private and ignored by git: it can hold personal data. Raises SealBroken, OSError,
    and ValueError where settings cannot be exported or a row cannot be trained on.
    """
    run.verify()
    job = training_data.make_job(run.plan, run.folder)
    settings, root = job.settings, job.base_folder
    asked = settings.objective == "dpo", settings.sharding == "fsdp", settings.new_tokens
    for (setting, why), is_asked in zip(NOT_EXPORTED.items(), asked, strict=True):
        if is_asked:
            raise ValueError(f"{setting} is not exported: {why}")
    # One Axolotl process takes the steps of all processes here, on rows cut to the base's context.
    data = training_data.load_training_data(job)
    counts = {"train": len(data.train), "validation": len(data.validation)}
    length, steps = training_data.max_row_tokens(settings, root), settings.accumulation
    changes = {"max_length": length, "accumulation": steps * settings.world_size}
    table = axolotl_config(settings.model_copy(update=changes), portable_base(run), counts)
    names = {"version": "0.19", "config": CONFIG_FILE, "folder": folder.name}
    files = {CONFIG_FILE: CONFIG_HEADER.format(run=run.id, **names) + table, **_row_files(data)}
    names_written = [*files]
    files |= {MANIFEST_FILE: json.dumps({"run": run.id}) + "\n", ".gitignore": "*\n"}
    with atomic_folder(folder) as draft:
        draft.chmod(0o700)
        for name, text in files.items():
            (draft / name).write_text(text, "utf-8")
    return names_written


def changed_rows(job: training_data.TrainingJob, folder: Path) -> list[str]:
    """Return the names of data files in a folder that hold other rows than the run's snapshots."""
    texts = _row_files(training_data.load_training_data(job))
    present = {name: (folder / name).read_bytes() for name in texts if (folder / name).is_file()}
    return [name for name, text in texts.items() if present.get(name) != text.encode()]


def _row_files(data: training_data.TrainingData) -> dict[str, str]:
    """Return the text of `SPLIT.jsonl` of each split that has rows."""
    splits = {"train": data.train, "validation": data.validation}
    rows = {k: axolotl_rows(training_data.conversations_of(v)) for k, v in splits.items() if v}
    return {f"{k}.jsonl": "".join(json.dumps(row) + "\n" for row in rows[k]) for k in rows}


def portable_base(run: Run) -> str:
    """Return the base's name on a hub, or the absolute path of its folder."""
    base_name = str(run.plan.config["base"])
    folder = run.state.root / Path(base_name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else base_name


def axolotl_config(settings: Settings, base: str, counts: Mapping[str, int]) -> str:
    """Return the configuration as YAML; `counts` are the rows of each split, in `SPLIT.jsonl`."""
    yaml: Any = import_module("yaml")  # transformers requires it; it has no types
    is_full, has_validation = settings.method == "full", bool(counts.get("validation"))
    steps = math.ceil(math.ceil(counts["train"] / settings.batch) / settings.accumulation)
    table: dict[str, Any] = {"base_model": base}
    if not is_full:
        table |= {
            "adapter": settings.method,
            "load_in_4bit": settings.quantisation == "nf4",  # double quantisation, as here
            "lora_r": settings.r,
            "lora_alpha": settings.alpha,
            "lora_dropout": settings.dropout,
        }
        named = {"lora_target_modules": settings.targets}
        table |= {"lora_target_linear": True} if settings.targets == "all-linear" else named
    # `datasets` calls all rows of a file the split `train`.
    file_format = {"ds_type": "json", "split": "train"}
    table["datasets"] = [{"path": "train.jsonl", **file_format}]
    if has_validation:
        table["test_datasets"] = [{"path": "validation.jsonl", **file_format}]
    table |= {
        "sequence_len": settings.max_length,
        "excess_length_strategy": "raise",  # no row is longer: `on_overflow` was applied
        "sample_packing": False, "group_by_length": True,
        "num_epochs": epochs_to_request(settings, counts["train"], steps),
        "micro_batch_size": settings.batch, "gradient_accumulation_steps": settings.accumulation,
        "learning_rate": settings.learning_rate, "lr_scheduler": settings.schedule,
        "warmup_ratio": settings.warmup, "optimizer": "adamw_torch",
        "weight_decay": settings.weight_decay, "max_grad_norm": settings.clip,
        "seed": settings.seed,
        # With `bf16` Axolotl would hold the weights that `full` trains in 16 bits.
        "bf16": settings.compute == "bfloat16" and not is_full,
        "fp16": settings.compute == "float16" and not is_full,
        "tf32": settings.compute != "float32" and is_full,
        "gradient_checkpointing": settings.gradient_checkpointing, "output_dir": "./out",
    }  # fmt: skip
    if not has_validation:
        table["save_strategy"] = "epoch"
    elif settings.keep == "last":
        table |= {"eval_strategy": "epoch", "save_strategy": "epoch"}
    else:  # with the strategy `epoch`, Axolotl would keep the last weights without a warning
        table |= {"eval_steps": steps, "save_steps": steps}
        table |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
        if settings.patience:
            table["early_stopping_patience"] = settings.patience
    return str(yaml.safe_dump(table, sort_keys=False, allow_unicode=True, width=100))


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
