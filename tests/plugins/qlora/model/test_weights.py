from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_llama import ticket
from trainings import adapter, kill, losses

from tunegate.interfaces.model import Request
from tunegate.interfaces.trainer import Plan
from tunegate_qlora.model import folders as bases
from tunegate_qlora.model.local_model import open_folder
from tunegate_qlora.trainer import QLoRATrainer

Planner = Callable[..., Plan]


def test_full_trains_every_weight_and_saves_a_whole_model(
    plan: Planner, folder: Path, project: Path, base: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trained = QLoRATrainer().train(plan(method="full", epochs=20, learning_rate=3e-3), folder)
    read, memory = (trained.figures[f"loss_{where}"] for where in ("from_disk", "in_memory"))
    assert read == pytest.approx(memory, rel=1e-6)  # though one was trained in float32
    assert "98,816 of 98,816 parameters trainable (100.00 %)" in capfd.readouterr().out
    before, after = (load_file(p / "model.safetensors") for p in (base, folder / "model"))
    assert before.keys() == after.keys()
    assert {w.dtype for w in after.values()} == {w.dtype for w in before.values()}
    assert not any(torch.equal(before[name], after[name]) for name in before)
    assert trained.model == "folder:model"
    model = open_folder(".tunegate/runs/abc/model", project)
    assert model.digest == trained.digest
    (answer,) = model.answers([Request(0, ticket(1)["messages"][:-1])])
    assert answer.text == "delivery"


def test_a_whole_model_brings_all_it_needs_to_answer(
    plan: Planner, folder: Path, project: Path, base: Path
) -> None:
    (project / "base").unlink()
    shutil.copytree(base, project / "base")
    (project / "base/LICENSE").write_text("terms")
    (project / "base/README.md").write_text("the base's own card")
    QLoRATrainer().train(plan(method="full", epochs=1), folder)
    names = {p.name for p in (folder / "model").iterdir()}
    assert names >= {p.name for p in (project / "base").iterdir()} | {"tunegate.json", "LICENSE"}
    assert "the base's own card" not in (folder / "model/README.md").read_text()
    told = json.loads((folder / "model/tunegate.json").read_text())
    assert told["decoding"]["quantisation"] == "none"
    assert told["base_digest"] == bases.folder_digest(project / "base")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "full"])
def test_each_method_gives_the_same_bits_for_a_seed(
    plan: Planner, folder: Path, second: Path, method: str
) -> None:
    first = QLoRATrainer().train(plan(method=method, epochs=1), folder)
    torch.manual_seed(99)
    again = QLoRATrainer().train(plan(method=method, epochs=1), second)
    assert adapter(folder) == adapter(second)
    assert first.digest == again.digest


@pytest.mark.slow  # `qlora` is killed in test_trainer.py, with early stopping in test_best.py
@pytest.mark.parametrize("method", ["lora", "full"])
def test_each_method_survives_a_kill(
    plan: Planner, folder: Path, second: Path, project: Path, method: str
) -> None:
    chosen = plan(method=method, checkpoint_seconds=0)
    kill(chosen, project, step=8)
    assert not list(folder.glob("*/*model.safetensors"))
    resumed = QLoRATrainer().train(chosen, folder)
    assert resumed.digest == QLoRATrainer().train(chosen, second).digest
    assert adapter(folder) == adapter(second)
    assert losses(folder) == losses(second)
