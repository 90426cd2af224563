"""A training on preferences, whole: it learns them, says so, and survives a kill."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from tiny_llama import make_project, prefer, preference, write
from trainings import adapter, curves, kill, losses

from tunegate.config.schema import parse_settings
from tunegate.errors import ConfigError
from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate_axolotl.commands import export
from tunegate_qlora.commands import merge
from tunegate_qlora.config import Settings
from tunegate_qlora.data import training_data
from tunegate_qlora.trainer import QLoRATrainer
from tunegate_qlora.training import loss
from tunegate_qlora.training import loss as dpo

Planner = Callable[..., Plan]
SUITE = """
from tunegate_checks.data import preferences

def test_preferences(dataset):
    assert not preferences.find(dataset)
"""


def ask(module: Any, *argv: str) -> None:
    parser = argparse.ArgumentParser()
    module.arguments(parser)
    assert not module.run(parser.parse_args(argv))


@pytest.fixture
def pairs(plan: Planner, project: Path) -> Planner:
    """Make a plan on preferences."""
    prefer(project)
    return lambda **said: plan(**{"objective": "dpo", "learning_rate": 3e-3} | said)


def test_it_learns_what_is_preferred_and_proves_it(
    pairs: Planner, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = QLoRATrainer().train(pairs(epochs=4, dropout=0.0), folder).figures
    first, *_, last = (line for line in curves(folder) if "train_loss" in line)
    assert first["train_loss"] == pytest.approx(0.693147, abs=1e-5)  # ln 2: it is the base yet
    assert last["train_loss"] < 0.3
    assert figures["validation_loss"] < 0.3
    assert figures["reward_accuracy"] == 1.0
    assert figures["reward_margin"] > 1
    assert figures["loss_from_disk"] == figures["loss_in_memory"]
    assert figures["rejected_loss_from_disk"] == figures["rejected_loss_in_memory"]
    apart = {
        k: figures[f"rejected_loss_{k}"] - figures[f"loss_{k}"] for k in ("from_disk", "of_base")
    }
    assert apart["from_disk"] > apart["of_base"]
    out = capsys.readouterr().out
    assert "training  qlora, dpo, 24 pairs, 6 held out\n" in out
    assert "          preferred 100.0 % of 6 held-out pairs, reward margin " in out
    assert max(map(len, out.splitlines())) <= 80
    card = (folder / "adapter/README.md").read_text()
    assert "| reward_accuracy | 1 |" in card
    assert "| objective | dpo |" in card


def test_a_rejected_side_that_comes_back_otherwise_is_caught(
    pairs: Planner, folder: Path, project: Path, base: Path
) -> None:
    chosen = pairs(epochs=1)
    figures = QLoRATrainer().train(chosen, folder).figures
    settings = parse_settings(Settings, chosen.config)
    rows = training_data.load_training_data(training_data.make_job(chosen, Path()))
    before = {name: float(value) for name, value in figures.items()}
    assert loss.verify_saved(folder / "adapter", base, settings, rows, before)
    name = "rejected_loss_in_memory"
    other = {**before, name: 1.1 * before[name]}
    with pytest.raises(
        TrainingFailed, match=r"the model's rejected loss is .* what was written is"
    ):
        loss.verify_saved(folder / "adapter", base, settings, rows, other)


def test_a_row_without_a_rejected_reply_is_one_message(
    pairs: Planner, folder: Path, project: Path
) -> None:
    chosen = pairs()
    rows = [preference(0), {"messages": preference(1)["messages"]}]
    write(project / ".tunegate/snapshots/train.jsonl", rows)
    with pytest.raises(TrainingFailed, match="line 2: no rejected reply"):
        QLoRATrainer().train(chosen, folder)


@pytest.mark.slow
@pytest.mark.parametrize("said", [{}, {"method": "full", "learning_rate": 1e-3, "keep": "best"}])
def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(
    pairs: Planner, folder: Path, project: Path, monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    references: list[list[float]] = []
    take = dpo.DPOObjective._with_reference

    def noted(self: Any, found: Any) -> Any:
        made = take(self, found)
        references.append([pair.reference for pair in made])
        return made

    monkeypatch.setattr(dpo.DPOObjective, "_with_reference", noted)
    chosen, second = pairs(checkpoint_seconds=0, **said), folder.with_name("def")
    second.mkdir()
    kill(chosen, project, step=8)  # of 12: amid the second epoch, with a checkpoint half made
    assert (folder / "checkpoints/checkpoint-7").exists()
    QLoRATrainer().train(chosen, folder)
    QLoRATrainer().train(chosen, second)
    assert adapter(folder) == adapter(second)
    assert losses(folder) == losses(second)
    assert references[:2] == references[2:]  # the base's, not those of the weights at step 7


@pytest.mark.slow
def test_from_the_gate_to_a_merged_model(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_project(tmp_path, base)
    for split, numbers in {"train": range(24), "validation": range(30, 36)}.items():
        write(root / f"{split}.jsonl", [preference(i, split) for i in numbers])
    (root / "suites/data").mkdir(parents=True)
    (root / "suites/data/test_it.py").write_text(SUITE)
    (root / "tunegate.toml").write_text(
        '[data]\ntrain = "train.jsonl"\nvalidation = "validation.jsonl"\n'
        '[train.qlora]\nbase = "base"\nobjective = "dpo"\nlearning_rate = 3e-3\nbatch = 4\n'
    )
    command = [sys.executable, "-m", "pytest", "suites/data", "-q", "--train-with", "qlora"]
    done = run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "held-out pairs" in done.stdout
    (record,) = root.glob(".tunegate/runs/*/run.json")
    assert json.loads(record.read_bytes())["figures"]["reward_accuracy"] == 1.0
    monkeypatch.chdir(root)

    ask(merge, "latest")
    assert "good: within" in capsys.readouterr().out
    figures = json.loads((record.parent / "merge.json").read_bytes())
    assert {"loss_merged", "rejected_loss_merged"} <= set(figures)
    with pytest.raises((ConfigError, ValueError), match='objective = "dpo" is not exported'):
        ask(export, record.parent.name)


@pytest.mark.slow
def test_two_processes_prefer_as_one_does(pairs: Planner, folder: Path) -> None:
    """Five batches: in the last round one process has none, and may not learn from another's."""
    other = folder.with_name("other")
    other.mkdir()
    exact = {"method": "lora", "compute": "float32", "dropout": 0.0, "batch": 5, "epochs": 2}
    one = QLoRATrainer().train(pairs(**exact, accumulation=2), folder).figures
    two = QLoRATrainer().train(pairs(**exact, processes=2), other).figures
    for name in ("train_loss", "validation_loss", "reward_margin", "rejected_loss_in_memory"):
        assert two[name] == pytest.approx(one[name], rel=1e-3), name
