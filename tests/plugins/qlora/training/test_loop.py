"""The loop asks transformers for what the settings say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from tunegate.interfaces.trainer import Plan
from tunegate_qlora.config import Settings
from tunegate_qlora.runtime import process_group
from tunegate_qlora.trainer import QLoRATrainer
from tunegate_qlora.training.learn import training_arguments

STEPS = 10


def rates(scheduler: str, folder: Path) -> list[float]:
    """Return the learning rate of each step, as a share of the highest."""
    given: Any = {"base": "b", "scheduler": scheduler, "warmup": 0.4, "learning_rate": 1.0}
    arguments = training_arguments(Settings(**given), folder, STEPS)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=arguments.learning_rate)
    made = transformers.get_scheduler(
        arguments.lr_scheduler_type, optimizer, arguments.warmup_steps, STEPS
    )
    found = []
    for _ in range(STEPS):
        found.append(made.get_last_lr()[0])
        optimizer.step()
        made.step()
    return found


@pytest.mark.parametrize("scheduler", ["cosine", "linear", "constant"])
def test_every_schedule_warms_up(tmp_path: Path, scheduler: str) -> None:
    first, rest = rates(scheduler, tmp_path)[:5], rates(scheduler, tmp_path)[5:]
    assert first == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    if scheduler == "constant":
        assert set(rest) == {1.0}
    else:
        assert rest == sorted(rest, reverse=True)
        assert rest[0] < 1


def test_sharding_is_said_in_transformers_own_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_group, "enable_cpu_fsdp", lambda: None)  # it would hold for all
    given: Any = {"base": "b", "processes": 2, "sharding": "fsdp"}
    sharded = training_arguments(Settings(**given), tmp_path, STEPS, "LlamaDecoderLayer")
    assert sharded.fsdp is True
    assert isinstance(sharded.fsdp_config, dict)
    assert sharded.fsdp_config["transformer_layer_cls_to_wrap"] == ["LlamaDecoderLayer"]
    assert sharded.fsdp_config["state_dict_type"] == "SHARDED_STATE_DICT"
    assert not training_arguments(Settings(base="b"), tmp_path, STEPS).fsdp


def test_what_is_private_in_accelerate_is_where_it_was() -> None:
    from accelerate import PartialState

    PartialState(cpu=True)
    assert "distributed_type" in PartialState._shared_state  # for `process_group.enable_cpu_fsdp`


@pytest.mark.slow  # transformers' own integrations, for real and without a network
@pytest.mark.parametrize(
    ("library", "written"),
    [("tensorboard", "tensorboard/**/*tfevents*"), ("trackio", "trackio/*.db*")],
)
def test_losses_are_reported(
    plan: Callable[..., Plan], folder: Path, monkeypatch: pytest.MonkeyPatch, library: str,
    written: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("TRACKIO_DIR", str(folder / "trackio"))  # read at the import
    pytest.importorskip(library)
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(folder / "tensorboard"))
    QLoRATrainer().train(plan(report_to=[library], epochs=1), folder)
    said = b"".join(path.read_bytes() for path in folder.glob(written) if path.is_file())
    assert b"train/loss" in said
