from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tunegate_qlora.training import callbacks


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A run with two sealed checkpoints; the newer one is at step 10."""
    for step in (9, 10):
        folder = tmp_path / f"checkpoints/checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "optimizer.pt").write_bytes(b"moments")
        (folder / "adapter_model.safetensors").write_bytes(b"weights")
        callbacks.seal_checkpoint(folder)
    return tmp_path


def test_the_newest_whole_checkpoint_is_used(saved: Path) -> None:
    found = callbacks.newest_whole(saved)
    assert found == saved / "checkpoints/checkpoint-10"
    assert callbacks.step_of(found) == 10


@pytest.mark.parametrize("harm", ["cut", "changed", "lost", "unsealed", "half a seal"])
def test_a_checkpoint_that_is_not_whole_is_passed_over(saved: Path, harm: str) -> None:
    broken = saved / "checkpoints/checkpoint-10"
    match harm:
        case "cut":
            (broken / "optimizer.pt").write_bytes(b"mome")
        case "changed":
            (broken / "optimizer.pt").write_bytes(b"momenta")
        case "lost":
            (broken / "adapter_model.safetensors").unlink()
        case "unsealed":
            (broken / "sealed.json").unlink()
        case _:
            (broken / "sealed.json").write_text('{"optimizer.pt"')
    assert callbacks.newest_whole(saved) == saved / "checkpoints/checkpoint-9"
    assert not broken.exists()


@pytest.mark.parametrize("harm", ["changed", "gone", ""])
def test_a_checkpoint_needs_the_best_weights_that_it_refers_to(saved: Path, harm: str) -> None:
    newest = saved / "checkpoints/checkpoint-10"
    (newest / "trainer_state.json").write_text('{"best_global_step": 6}')
    callbacks.seal_checkpoint(newest)
    best = saved / "best/6"
    best.mkdir(parents=True)
    (best / "weights.safetensors").write_bytes(b"best")
    callbacks.seal_checkpoint(best)
    if harm == "changed":
        (best / "weights.safetensors").write_bytes(b"cut")
    elif harm == "gone":
        shutil.rmtree(best)
    assert callbacks.step_of(callbacks.newest_whole(saved)) == (9 if harm else 10)


def test_where_nothing_was_saved_nothing_is_found(tmp_path: Path) -> None:
    assert callbacks.newest_whole(tmp_path / "none") is None
    assert callbacks.step_of(None) == 0
