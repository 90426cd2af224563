from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_llama import CHATML, make_base, ticket, write

from tunegate.interfaces.trainer import Plan
from tunegate.utils import optional_deps
from tunegate_qlora.model import architecture
from tunegate_qlora.trainer import QLoRATrainer

Planner = Callable[..., Plan]


def told(plan: Plan) -> list[str]:
    return [problem.what for problem in QLoRATrainer().preflight(plan)]


def test_a_plan_that_can_be_trained_has_no_problems(plan: Planner) -> None:
    assert told(plan()) == []


def test_rows_that_cannot_be_trained_on_are_named(plan: Planner, project: Path) -> None:
    rows = [ticket(0)] + [{"messages": ticket(i)["messages"][:-1]} for i in range(5)]
    write(project / ".tunegate/snapshots/train.jsonl", rows)
    assert told(plan()) == [
        "train: line 2: no assistant message to train on",
        "train: line 3: no assistant message to train on",
        "train: line 4: no assistant message to train on",
        "train: 2 more rows cannot be trained on",
    ]


def test_rows_that_are_too_long_are_counted(plan: Planner) -> None:
    train, validation = told(plan(max_length=70))
    assert train.startswith("train: 15 of 24 rows are longer than 70 tokens")
    assert validation.startswith("validation: 2 of 6 rows")
    assert told(plan(max_length=70, on_overflow="drop")) == []
    assert told(plan(max_length=5, on_overflow="drop"))[0] == (
        "train: `on_overflow` drops all 24 rows: raise `max_length`"
    )


def test_a_base_that_is_gone_is_named(plan: Planner, project: Path) -> None:
    made = plan()
    (project / "base").unlink()
    (problem,) = told(made)
    assert problem.startswith("base = 'base': there is no folder")


def test_a_base_without_weights_is_named(plan: Planner, project: Path) -> None:
    (project / "base").unlink()
    bare = make_base(project / "base")
    (bare / "model.safetensors").unlink()
    assert told(plan()) == [f"{bare} holds no weights (*.safetensors)"]


def test_a_template_that_asks_otherwise_than_it_trains_is_named(
    plan: Planner, project: Path
) -> None:
    (project / "base").unlink()
    make_base(project / "base", template=CHATML.replace("assistant\n{% endif", "robot\n{% endif"))
    assert "what the model is asked is not how the trained text begins" in told(plan())[0]


def test_a_base_without_a_template_is_named(plan: Planner, project: Path) -> None:
    (project / "base").unlink()
    make_base(project / "base", template="")
    (problem,) = told(plan())
    assert "has no chat template" in problem
    assert "\n" not in problem


def test_layers_that_bitsandbytes_gets_wrong_on_a_cpu_are_named(
    plan: Planner, project: Path
) -> None:
    (project / "base").unlink()
    make_base(project / "base", hidden=96)
    (problem,) = told(plan())
    assert problem.startswith(
        "linear layers with 96 inputs: on a CPU, bitsandbytes needs multiples"
    )
    assert told(plan(quantisation="none")) == []


def test_targets_that_no_layer_has_are_named(plan: Planner) -> None:
    (problem,) = told(plan(targets=["q_proj", "query"]))
    assert problem == (
        "targets: no layer is called 'query'; there are "
        "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"
    )


def test_a_disk_that_is_too_small_is_named(plan: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    (problem,) = told(plan())
    assert problem.startswith("checkpoints need 1.4 MB, the disk has 0.0 MB free: make room, or")


def test_a_missing_extra_is_one_line(plan: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    made, real = plan(), importlib.util.find_spec

    def absent(name: str) -> Any:
        return None if name in ("peft", "bitsandbytes") else real(name)

    monkeypatch.setattr(optional_deps, "find_spec", absent)
    assert told(made) == ["qlora needs peft, bitsandbytes: pip install 'tunegate[qlora]'"]


def test_a_plan_without_rows_is_named(plan: Planner, project: Path) -> None:
    write(project / ".tunegate/snapshots/train.jsonl", [])
    assert told(replace(plan(), validation=None)) == ["train: no rows"]


def test_the_base_lies_where_the_project_does_and_not_above_the_data(
    plan: Planner, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    snapshots = {s: write(elsewhere / f"{s}.jsonl", [ticket(0)]) for s in ("train", "validation")}
    assert told(replace(plan(), **snapshots)) == []
    (missing,) = told(replace(plan(), root=elsewhere))
    assert missing.startswith(f"base = 'base': there is no folder {elsewhere / 'base'}")


def test_processes_on_a_cpu_are_for_trying_out(
    plan: Planner, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(plan(processes=2, sharding="fsdp")) == []
    out = capsys.readouterr().out
    assert "processes 2, 8 rows a step, the model shared out (fsdp)\n" in out
    assert "no GPU here: they share the CPU, which is good for trying it out\n" in out
    assert " free, for each process\n" in out


def test_more_processes_than_gpus_or_batches_are_problems(
    plan: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    gpus, batches = told(plan(processes=7))
    assert gpus == "processes = 7: this machine has 1 GPU, and every process wants its own"
    assert batches == (
        "24 rows in batches of 4 make 6 an epoch, fewer than the 7 processes: lower `batch` or "
        "`processes`"
    )
    assert told(plan(processes=1)) == []


def test_a_base_without_known_layers_cannot_be_shared_out(
    plan: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(architecture, "decoder_layer_class", lambda _: "")
    (problem,) = told(plan(processes=2, sharding="fsdp"))
    assert problem.startswith("sharding = 'fsdp' shares out a model by its decoder layers")
