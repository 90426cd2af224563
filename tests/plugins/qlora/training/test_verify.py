from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate.storage.state_dir import StateDir, find_finished
from tunegate_qlora.model import weights
from tunegate_qlora.trainer import QLoRATrainer
from tunegate_qlora.training import loss

Planner = Callable[..., Plan]


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (2.0, 2.019, False),
        (2.0, 2.021, True),
        (0.001, 0.0029, False),
        (0.001, 0.0031, True),
        (1.0, math.nan, True),
        (math.inf, math.inf, True),
    ],
)
def test_losses_differ_where_rounding_does_not_explain_it(
    one: float, other: float, apart: bool
) -> None:
    assert loss.differs(one, other) is apart


def test_what_was_read_back_is_what_was_trained(finished_project: Path) -> None:
    figures = find_finished(StateDir(finished_project), "latest").record["figures"]
    assert figures["loss_from_disk"] == figures["loss_in_memory"]  # a CPU sums in one order
    assert float(figures["loss_from_disk"]) < 0.9 * float(figures["loss_of_base"])


def test_a_model_that_was_written_wrongly_is_not_kept(
    plan: Planner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = weights.save_trained

    def lossy(model: Any, draft: Path, *rest: Any) -> None:
        save(model, draft, *rest)
        path = draft / "adapter_model.safetensors"
        save_file({name: 0 * weight for name, weight in load_file(path).items()}, path)

    monkeypatch.setattr(weights, "save_trained", lossy)
    with pytest.raises(TrainingFailed, match="what was written is not what was trained"):
        QLoRATrainer().train(plan(), folder)
    assert not (folder / "adapter").exists()
    assert not (folder / "adapter.part").exists()


def test_a_model_that_learned_nothing_is_not_kept(plan: Planner, folder: Path) -> None:
    with pytest.raises(TrainingFailed, match="is no other than its base"):
        QLoRATrainer().train(plan(epochs=1, learning_rate=1e-30, warmup=0.0), folder)
    assert not (folder / "adapter").exists()
