from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tunegate.config.settings import parse_settings
from tunegate.interfaces.trainer import Plan
from tunegate_qlora.config.settings import Settings
from tunegate_qlora.model import architecture
from tunegate_qlora.preflight import world_size
from tunegate_qlora.preflight.memory import MemoryEstimate
from tunegate_qlora.trainer import QLoRATrainer

Planner = Callable[..., Plan]


def told(plan: Plan) -> list[str]:
    return [problem.what for problem in QLoRATrainer().preflight(plan)]


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


def test_of_a_model_that_is_shared_out_each_holds_a_part(plan: Planner) -> None:
    whole = MemoryEstimate(weights=40.0, trained=8.0, activations=2.0)
    shared = parse_settings(Settings, plan(processes=4, sharding="fsdp").config)
    assert world_size.per_process(whole, shared) == MemoryEstimate(10.0, 2.0, 2.0)
    assert (
        world_size.per_process(whole, parse_settings(Settings, plan(processes=4).config)) == whole
    )
