"""The best epoch is kept, a training that gets no better stops, and a kill changes neither."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_llama import ticket, write
from trainings import adapter, kill, losses

from tunegate.interfaces.trainer import Plan
from tunegate_checks.model import overfitting
from tunegate_qlora.trainer import QLoRATrainer
from tunegate_qlora.training import loss

Planner = Callable[..., Plan]
HASTY = {"epochs": 8, "learning_rate": 2e-2, "scheduler": "constant", "warmup": 0.0}


@pytest.fixture(autouse=True)
def other_replies(project: Path) -> None:
    """Replies that training never shows: the more is learned of its own, the worse they fit."""
    rows = [ticket(i, "held") for i in range(6)]
    for row in rows:
        row["messages"][-1]["content"] = "zzzz qqqq xxxx"
    write(project / ".tunegate/snapshots/validation.jsonl", rows)


def validation(folder: Path) -> list[float]:
    """Return every validation loss, those after the best epoch too."""
    files = (folder / "curves.jsonl", folder / "curves-beyond.jsonl")
    lines = [json.loads(line) for f in files if f.exists() for line in f.read_text().splitlines()]
    return [line["validation_loss"] for line in lines if "validation_loss" in line]


@pytest.mark.slow
def test_a_training_that_gets_no_better_stops_with_its_best(
    plan: Planner, folder: Path, second: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trained = QLoRATrainer().train(plan(**HASTY, patience=2), folder)
    seen = validation(folder)
    best = seen.index(min(seen)) + 1
    assert len(seen) == best + 2 < 8
    assert trained.figures["epochs"] == best + 2
    assert trained.figures["kept_epoch"] == best
    assert trained.figures["validation_loss"] == min(seen)
    assert abs(float(trained.figures["loss_from_disk"]) - min(seen)) < loss.MIN_DIFFERENCE
    out = capfd.readouterr().out
    assert f"stopped after epoch {best + 2} of 8: the last 2 were no better" in out
    assert f"kept epoch {best}, the one with the best validation loss" in out
    assert not (folder / "best").exists()
    assert not overfitting.find(losses(folder))  # the verdict is about the weights that were kept
    assert max(line["step"] for line in losses(folder)) == trained.figures["kept_step"]
    later = HASTY | {"epochs": best + 1, "keep": "best"}  # to its end, and back to the best
    assert QLoRATrainer().train(plan(**later), second).figures["epochs"] == best + 1
    assert adapter(folder) == adapter(second)


@pytest.mark.slow
@pytest.mark.parametrize("harmed", [False, True])
def test_a_kill_changes_neither_the_best_nor_when_it_stops(
    plan: Planner, folder: Path, second: Path, project: Path, harmed: bool
) -> None:
    chosen = plan(**HASTY, patience=2)
    every_step = plan(**HASTY, patience=2, checkpoint_seconds=0)
    whole = QLoRATrainer().train(chosen, second)
    kept = 6 * int(whole.figures["kept_epoch"])
    kill(
        every_step, project, step=kept + 2
    )  # the best is known, and the newest checkpoint after it
    state = folder / f"checkpoints/checkpoint-{kept + 1}/trainer_state.json"
    assert json.loads(state.read_text())["best_global_step"] == kept
    if harmed:
        (folder / f"best/{kept}/weights.safetensors").write_bytes(b"cut short")
    resumed = QLoRATrainer().train(chosen, folder)
    assert adapter(folder) == adapter(second)
    assert losses(folder) == losses(second)
    assert validation(folder) == validation(second)
    assert resumed.figures["kept_epoch"] == whole.figures["kept_epoch"]


@pytest.mark.slow
def test_the_last_is_kept_unless_something_else_is_said(plan: Planner, folder: Path) -> None:
    last = QLoRATrainer().train(plan(**HASTY | {"epochs": 5}), folder)
    assert last.figures["kept_epoch"] == last.figures["epochs"] == 5
    assert last.figures["validation_loss"] == validation(folder)[-1]


def test_without_validation_there_is_no_best(plan: Planner) -> None:
    (problem,) = QLoRATrainer().preflight(replace(plan(patience=1), validation=None))
    assert problem.what.startswith("no validation data: `patience`")
