"""Axolotl itself on an export, where it is installed; test_axolotl.py holds what was found out."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from elsewhere import open_gate
from tiny_llama import CHATML, make_base

from tunegate.storage.state_dir import Run
from tunegate_axolotl import export
from tunegate_axolotl.commands import import_run
from tunegate_qlora.data import training_data

os.environ["AXOLOTL_DO_NOT_TRACK"] = "1"  # read when it is imported
pytest.importorskip("axolotl")
pytestmark = pytest.mark.slow

H100 = {"bf16": True, "fp8": True, "tf32": True, "n_gpu": 1, "compute_capability": "sm_90"}
NO_GPU = {f"lora_{part}_kernel": False for part in ("mlp", "qkv", "o", "embedding")}  # Triton's
THINKS = CHATML.replace(
    "{{ m['content'] }}",
    "{% if m['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m['content'] }}",
)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"method": "lora", "targets": ["q_proj"], "scheduler": "linear", "warmup": 0.0},
        {"method": "full", "gradient_checkpointing": True, "scheduler": "constant"},
        {"patience": 2, "compute": "float16", "accumulation": 3, "on_overflow": "drop"},
    ],
)
def test_every_key_is_kept_as_it_is(project: Path, said: dict[str, Any]) -> None:
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault

    export.write_export(open_gate(project, **said), project / "there")
    table = yaml.safe_load((project / "there/axolotl.yaml").read_text())
    torch = {"torch_version": "2.13.0"}
    kept = validate_config(DictDefault(table), capabilities=H100, env_capabilities=torch)
    for name in ("datasets", "test_datasets"):
        ours, theirs = table.pop(name), kept[name]
        assert {key: theirs[0][key] for key in ours[0]} == ours[0]
    assert {key: kept[key] for key in table} == table


@pytest.mark.parametrize("method", ["qlora", "lora", "full"])
def test_the_tokens_that_were_checked_are_learnt_and_the_model_comes_back(
    project: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "tunegate.toml").write_text("")
    (project / "base").unlink()
    base = make_base(project / "base", template=THINKS)
    said: dict[str, Any] = {"method": method, "compute": "float32", "patience": 2}
    said |= {"epochs": 3, "batch": 10, "learning_rate": 1e-2}
    run = open_gate(project, tested=False, **said)
    export.write_export(run, project / "there")
    monkeypatch.chdir(project / "there")
    trainer = learnt(run, base)
    assert trainer.args.load_best_model_at_end
    assert trainer.state.global_step == 9  # 3 epochs of 10, 10 and 4 rows
    monkeypatch.chdir(project)
    parser = argparse.ArgumentParser()
    import_run.arguments(parser)
    assert import_run.run(parser.parse_args(["there/out", "--receipt", run.id])) == 0
    done = Run(run.state, run.id)
    assert done.attestation.endswith("that it was trained on these bytes, and no others")


def learnt(run: Run, base: Path) -> Any:
    """Let Axolotl train on the export in the working directory; compare its rows with ours."""
    from axolotl.cli.args import TrainerCliArgs
    from axolotl.cli.config import load_cfg
    from axolotl.common.datasets import load_datasets
    from axolotl.train import train

    table = load_cfg("axolotl.yaml", dataset_num_proc=1, **NO_GPU)
    found = load_datasets(cfg=table, cli_args=TrainerCliArgs())
    ours = training_data.load_training_data(training_data.make_job(run.plan, run.folder))
    for rows, theirs in ((ours.train, found.train_dataset), (ours.validation, found.eval_dataset)):
        taken = sorted((row["input_ids"], row["labels"]) for row in theirs)
        assert taken == sorted((row.ids, row.labels) for row in rows)
    return train(table, found)[2]
