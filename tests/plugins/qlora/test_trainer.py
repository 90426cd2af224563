from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from elsewhere import open_gate
from filelock import FileLock
from trainings import KILLED, adapter, curves, kill, losses

from tunegate.gates import training_process
from tunegate.interfaces.trainer import Plan, Trainer, TrainingFailed
from tunegate_qlora.model.local_model import open_folder
from tunegate_qlora.trainer import QLoRATrainer
from tunegate_qlora.training import callbacks, loss
from tunegate_qlora.training.learn import LengthGroupedTrainer

Planner = Callable[..., Plan]


def test_it_is_a_trainer() -> None:
    assert isinstance(QLoRATrainer(), Trainer)


def test_a_training_learns_and_says_what_it_did(
    plan: Planner, folder: Path, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trained = QLoRATrainer().train(plan(epochs=6), folder)
    readings = curves(folder)
    validation = [line["validation_loss"] for line in readings if "validation_loss" in line]
    assert len(validation) == 6
    assert validation[-1] < 0.7 * validation[0]
    assert trained.model == "folder:adapter"  # as seen from the run's folder
    assert trained.digest == open_folder(".tunegate/runs/abc/adapter", project).digest
    assert trained.figures["steps"] == 36
    assert trained.figures["trainable_parameters"] == 34816
    assert trained.figures["validation_loss"] == validation[-1]
    out, err = capfd.readouterr()
    first, *between, last = out.splitlines()
    assert err == ""  # a bar goes there, on a terminal; no noise from the libraries
    assert first == "training  qlora, 24 rows, 6 held out"
    assert between[0] == "          34,816 of 133,632 parameters trainable (26.05 %)"
    assert between[1] == "          padding 1.6 % of 1,828 tokens an epoch"
    assert between[-1].startswith("trained   6 epochs, 36 steps in ")
    assert all(line.startswith("          epoch ") for line in between[2:-1])
    assert re.fullmatch(r"proof     loss \S+ on 6 rows, from disk as in memory; base \S+", last)
    assert not (folder / "checkpoints").exists()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits(plan: Planner, folder: Path, second: Path) -> None:
    first = QLoRATrainer().train(plan(seed=3), folder)
    torch.manual_seed(99)
    again = QLoRATrainer().train(plan(seed=3), second)
    assert adapter(folder) == adapter(second)
    assert first.digest == again.digest
    shutil.rmtree(second)
    second.mkdir()
    assert QLoRATrainer().train(plan(seed=4), second).digest != first.digest


def test_a_run_that_has_its_adapter_is_not_trained_again(
    plan: Planner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = QLoRATrainer().train(plan(), folder)
    monkeypatch.setattr("tunegate_qlora.pipeline.train_job", None)
    assert QLoRATrainer().train(plan(), folder) == first


@pytest.mark.slow
@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(
    plan: Planner,
    folder: Path,
    second: Path,
    project: Path,
    accumulation: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # Two epochs; killed amid the second one, with a checkpoint half made.
    steps = 6 // accumulation
    chosen = plan(checkpoint_seconds=0, accumulation=accumulation)
    kill(chosen, project, step=steps + 2)
    assert not (folder / "adapter").exists()
    assert (folder / f"checkpoints/checkpoint-{steps + 2}").exists()
    resumed = QLoRATrainer().train(chosen, folder)
    assert f"going on from step {steps + 1}\n" in capfd.readouterr().out
    whole = QLoRATrainer().train(chosen, second)
    assert adapter(folder) == adapter(second)
    assert resumed.digest == whole.digest
    assert losses(folder) == losses(second)
    assert resumed.figures["validation_loss"] == whole.figures["validation_loss"]


@pytest.mark.slow
def test_a_training_can_be_killed_at_any_moment(
    plan: Planner, folder: Path, second: Path, project: Path
) -> None:
    chosen = plan(checkpoint_seconds=0, epochs=8)
    fields = {name: getattr(chosen, name) for name in chosen.__slots__}
    (project / "plan.json").write_text(json.dumps(fields, default=str))
    command = [sys.executable, "-c", KILLED, "-1"]
    process = subprocess.Popen(command, cwd=project, stderr=subprocess.DEVNULL)
    while not (folder / "checkpoints/checkpoint-5").exists() and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    QLoRATrainer().train(chosen, folder)
    QLoRATrainer().train(chosen, second)
    assert adapter(folder) == adapter(second)


def test_two_trainings_of_one_run_cannot_run_at_once(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "tunegate.toml").touch()
    run = open_gate(project, epochs=1)
    with FileLock(run.folder / "run.lock"):  # as a training in another process holds it
        assert training_process.main(run.folder) == 70
    assert "another process is training it" in capsys.readouterr().err
    assert not (run.folder / "adapter").exists()


def test_a_loss_that_is_no_number_stops_the_training(
    plan: Planner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = staticmethod(lambda o, labels, **_: o.logits.sum() * float("nan"))
    monkeypatch.setattr(loss.SupervisedObjective, "loss", nothing)
    with pytest.raises(TrainingFailed, match=r"the training loss is nan at step 1, where guessing"):
        QLoRATrainer().train(plan(), folder)
    assert not (folder / "adapter").exists()


def test_weights_that_are_no_numbers_are_not_kept(
    plan: Planner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(
        self: LengthGroupedTrainer, **_: Any
    ) -> None:  # the last steps need not have a reading
        weights = [p for p in self.model.parameters() if p.requires_grad]
        weights[-1].data[0] = float("nan")

    monkeypatch.setattr(LengthGroupedTrainer, "train", train)
    monkeypatch.setattr(callbacks, "print_figures", lambda *_: {})
    with pytest.raises(TrainingFailed, match="weights are not numbers: lower `learning_rate`"):
        QLoRATrainer().train(plan(), folder)
    assert not (folder / "adapter").exists()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "out of memory at batch = 4"),
        (torch.OutOfMemoryError("CUDA"), 'optimiser = "paged_adamw_8bit"'),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory at batch = 4"),
        (OSError(28, "No space left on device"), "the disk is full"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_what_goes_wrong_is_one_message(
    plan: Planner, folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("tunegate_qlora.model.weights.load_base", fail)
    with pytest.raises(TrainingFailed) as caught:
        QLoRATrainer().train(plan(), folder)
    assert told in str(caught.value)


def test_a_base_that_has_changed_is_not_trained_on(
    plan: Planner, folder: Path, project: Path, base: Path
) -> None:
    made = plan()
    (project / "base").unlink()
    shutil.copytree(base, project / "base")
    (project / "base/chat_template.jinja").write_text("another")
    with pytest.raises(TrainingFailed, match="has changed since this run was planned"):
        QLoRATrainer().train(made, folder)


@pytest.mark.parametrize(
    "settings",
    [
        {"quantisation": "none", "compute": "float32"},
        {"gradient_checkpointing": True, "accumulation": 2, "scheduler": "linear"},
        {"targets": ["q_proj", "v_proj"], "on_overflow": "drop", "max_length": 70},
    ],
)
def test_settings_are_followed(plan: Planner, folder: Path, settings: dict[str, Any]) -> None:
    trained = QLoRATrainer().train(plan(epochs=1, **settings), folder)
    assert trained.figures["train_loss"]
    kept = trained.figures["rows"]
    assert kept == 24 if "max_length" not in settings else 0 < int(kept) < 24
