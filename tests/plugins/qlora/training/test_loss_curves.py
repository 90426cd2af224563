from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tunegate.interfaces.trainer import TrainingFailed
from tunegate_qlora.training.callbacks import LossCurveCallback
from tunegate_qlora.training.loss import DPOObjective, dpo_divergence_factor


def log(curves: LossCurveCallback, step: int, loss: float) -> None:
    state: Any = SimpleNamespace(global_step=step, epoch=step / 10)
    curves.on_log(None, state, None, logs={"loss": loss, "learning_rate": 0.1})


def test_readings_are_lines_of_json(tmp_path: Path) -> None:
    curves = LossCurveCallback(tmp_path / "curves.jsonl", 1000, lambda: 1.5)
    log(curves, 3, 2.5)
    curves.on_epoch_end(None, SimpleNamespace(global_step=10, epoch=1.0), None)
    first, second = map(json.loads, (tmp_path / "curves.jsonl").read_text().splitlines())
    assert first["train_loss"] == 2.5
    assert (second["step"], second["epoch"], second["validation_loss"]) == (10, 1.0, 1.5)


def test_a_resumed_training_drops_what_comes_after_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "curves.jsonl"
    before = LossCurveCallback(path, 1000, None)
    for step in (1, 2, 3):
        log(before, step, 1.0)
    with open(path, "a") as file:
        file.write('{"step": 4, "tra')  # killed while writing
    log(LossCurveCallback(path, 1000, None, steps_done=2), 3, 0.5)
    assert [json.loads(line)["train_loss"] for line in path.read_text().splitlines()] == [1, 1, 0.5]


# Guessing among 1,000 tokens scores ln 1000 = 6.9; twice that is where a training has come apart.
@pytest.mark.parametrize(("loss", "stops"), [(13.8, False), (13.9, True), (float("inf"), True)])
def test_a_loss_far_worse_than_guessing_stops(tmp_path: Path, loss: float, stops: bool) -> None:
    curves = LossCurveCallback(tmp_path / "curves.jsonl", 1000, lambda: loss)
    if not stops:
        return log(curves, 3, loss)
    with pytest.raises(TrainingFailed, match=r"training loss is .* at step 3, .* 6.91"):
        log(curves, 3, loss)
    with pytest.raises(TrainingFailed, match="the validation loss is"):
        curves.on_epoch_end(None, SimpleNamespace(global_step=10, epoch=1.0), None)
    return None


@pytest.mark.parametrize(
    ("loss", "beta", "stops"),
    [(1.5, 0.1, False), (6.9, 0.1, False), (7.0, 0.1, True), (7.0, 0.01, True), (7.0, 0.2, False)],
)
def test_a_wrong_preference_is_no_training_that_came_apart(
    tmp_path: Path, loss: float, beta: float, stops: bool
) -> None:
    curves = LossCurveCallback(
        tmp_path / "curves.jsonl", DPOObjective.num_choices, None, 0, dpo_divergence_factor(beta)
    )
    if not stops:
        return log(curves, 3, loss)
    with pytest.raises(TrainingFailed, match=r"the training loss is 7 at step 3, .* 0.693"):
        log(curves, 3, loss)
    return None
