"""Several processes train as one does, die together, and go on to the same weights."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load
from trainings import adapter, losses

from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate_qlora.distributed import launch
from tunegate_qlora.trainer import QLoRATrainer

Planner = Callable[..., Plan]
pytestmark = pytest.mark.slow
SUPPORT = Path(__file__).parents[3] / "support"
EXACT = {"compute": "float32", "dropout": 0.0}
# Five batches: in the last round one of two processes has none. After two epochs it gets no better.
LORA = {"method": "lora", "batch": 5, "epochs": 8, "patience": 1}
HASTY = EXACT | LORA | {"learning_rate": 3e-2, "scheduler": "constant", "warmup": 0.0}


@pytest.fixture
def other(folder: Path) -> Callable[[str], Path]:
    """Make another run's folder."""

    def make(name: str) -> Path:
        made = folder.with_name(name)
        made.mkdir()
        return made

    return make


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the workers that are started from now on have a fault."""
    path = os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])

    def have(what: str) -> None:
        monkeypatch.setenv("PYTHONPATH", path)
        monkeypatch.setenv("FAULT", what)
        monkeypatch.setattr(launch, "WORKER_MODULE", "faulty_worker")

    return have


def train(plan: Plan, folder: Path) -> None:
    """Train in a process that its own workers know."""
    os.environ["PARENT"] = str(os.getpid())
    QLoRATrainer().train(plan, folder)


def values(lines: list[dict[str, Any]]) -> list[float]:
    return [value for line in lines for key, value in sorted(line.items()) if "loss" in key]


def test_they_train_as_one_does_and_die_together(
    plan: Planner,
    folder: Path,
    other: Callable[[str], Path],
    fault: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two = other("one"), other("two")
    alone = QLoRATrainer().train(plan(**HASTY, accumulation=2), one)
    chosen = plan(**HASTY, processes=2)
    whole = QLoRATrainer().train(chosen, two)
    assert alone.figures["epochs"] == whole.figures["epochs"] == 3
    assert alone.figures["kept_epoch"] == whole.figures["kept_epoch"] == 2
    # Sums in another order, in float32: a millionth of a loss a step, and it adds up.
    assert values(losses(two)) == pytest.approx(values(losses(one)), rel=1e-3)
    assert not (two / "workers").exists()

    often = plan(**HASTY, processes=2, checkpoint_seconds=0)
    fault("1 2 dies")
    with pytest.raises(TrainingFailed, match=r"process 1 of 2 was killed \(SIGKILL\)"):
        QLoRATrainer().train(often, folder)

    fault("0 5 kills")
    parent = multiprocessing.get_context("fork").Process(target=train, args=(often, folder))
    parent.start()
    parent.join()
    assert parent.exitcode == -signal.SIGKILL
    launch.wait_for_workers(folder / "workers", range(2))  # no worker outlives the parent
    for file in (folder / "checkpoints/checkpoint-4").glob("optimizer*"):
        file.write_bytes(b"cut short")

    monkeypatch.undo()
    resumed = QLoRATrainer().train(chosen, folder)
    assert adapter(folder) == adapter(two)
    assert losses(folder) == losses(two)
    assert resumed.digest == whole.digest


def test_a_loss_that_is_no_number_stops_all(
    plan: Planner, folder: Path, fault: Callable[[str], None]
) -> None:
    fault("1 0 nan")
    with pytest.raises(TrainingFailed, match=r"^the training loss is nan at step 1, where"):
        QLoRATrainer().train(plan(**EXACT, method="lora", processes=2), folder)
    assert not (folder / "adapter").exists()


def test_a_model_that_is_shared_out_trains_and_resumes_as_a_whole_one_does(
    plan: Planner,
    folder: Path,
    other: Callable[[str], Path],
    fault: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """4-bit weights in shards (FSDP), saved by two processes, each its part of the optimiser."""
    one, two = other("one"), other("two")
    QLoRATrainer().train(plan(**EXACT, epochs=1, accumulation=2), one)
    chosen = plan(**EXACT, epochs=1, processes=2, sharding="fsdp", checkpoint_seconds=0)
    QLoRATrainer().train(chosen, two)
    assert values(losses(two)) == pytest.approx(values(losses(one)), rel=1e-3)

    fault("1 2 dies")
    with pytest.raises(TrainingFailed, match=r"process 1 of 2 was killed \(SIGKILL\)"):
        QLoRATrainer().train(chosen, folder)
    assert (folder / "checkpoints/checkpoint-1/sealed.json").is_file()
    monkeypatch.undo()
    QLoRATrainer().train(chosen, folder)
    assert values(losses(folder)) == pytest.approx(values(losses(two)), rel=1e-4)
    whole, resumed = load(adapter(two)), load(adapter(folder))
    for name, weight in whole.items():
        torch.testing.assert_close(resumed[name], weight, rtol=1e-4, atol=1e-6)
