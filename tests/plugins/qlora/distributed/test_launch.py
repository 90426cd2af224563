from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tunegate.config.settings import parse_settings
from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate_qlora.config.settings import Settings
from tunegate_qlora.distributed import launch
from tunegate_qlora.runtime.errors import LOST_PROCESS_MESSAGE
from tunegate_qlora.trainer import QLoRATrainer


@pytest.fixture
def settings(plan: Callable[..., Plan]) -> Settings:
    """Settings of four processes."""
    return parse_settings(Settings, plan(processes=4).config)


def failed(place: Path, rank: int, message: str, second: int) -> None:
    path = place / f"{rank}.failed"
    path.write_text(message)
    os.utime(path, (second, second))


def test_the_first_message_that_is_a_cause_is_told(tmp_path: Path, settings: Settings) -> None:
    failed(tmp_path, 0, LOST_PROCESS_MESSAGE, 1)
    failed(tmp_path, 1, "later", 3)
    failed(tmp_path, 3, "the disk is full", 2)
    (tmp_path / "launcher-0.json").write_text(json.dumps({"exits": {"3": 70, "0": -15}}))
    assert launch.failure_reason(tmp_path, 0, settings) == "the disk is full"
    (tmp_path / "order-0.json").write_text("{}")
    os.utime(tmp_path / "order-0.json", (3, 3))  # another machine's, of an attempt before this one
    assert launch.failure_reason(tmp_path, 0, settings) == "later"


def test_a_kill_is_told_before_what_it_caused(tmp_path: Path, settings: Settings) -> None:
    failed(tmp_path, 0, LOST_PROCESS_MESSAGE, 1)
    (tmp_path / "launcher-0.json").write_text(json.dumps({"exits": {"0": 70, "2": -9}}))
    assert launch.failure_reason(tmp_path, 0, settings).startswith(
        "process 2 of 4 was killed (SIGKILL), "
    )


def test_where_no_worker_speaks_the_launcher_does(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "launcher-0.json").write_text(json.dumps({"error": "ConnectionError: port 1"}))
    assert launch.failure_reason(tmp_path, 0, settings) == "ConnectionError: port 1"
    (tmp_path / "launcher-0.json").unlink()
    assert launch.failure_reason(tmp_path, 0, settings) == launch.LAUNCHER_KILLED
    (tmp_path / "launcher-0.json").write_text(json.dumps({"exits": {"1": -11, "0": -15}}))
    assert launch.failure_reason(tmp_path, 0, settings) == "process 1 of 4 crashed (signal 11)"
    (tmp_path / "launcher-0.json").write_text(json.dumps({"exits": {"1": 1}}))
    assert launch.failure_reason(tmp_path, 0, settings) == "process 1 ended with exit code 1"
    (tmp_path / "launcher-0.json").write_text(json.dumps({"exits": {"1": -11}}))
    failed(tmp_path, 0, LOST_PROCESS_MESSAGE, 1)
    assert launch.failure_reason(tmp_path, 0, settings) == "process 1 of 4 crashed (signal 11)"
    (tmp_path / "launcher-0.json").unlink()
    assert launch.failure_reason(tmp_path, 0, settings) == LOST_PROCESS_MESSAGE


def test_while_a_worker_of_an_earlier_attempt_lives_none_is_started(
    folder: Path, plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "WORKER_TIMEOUT", 0)
    (folder / "workers").mkdir()
    told = r"process 1 of an earlier attempt is still there: .*1\.lock"
    with FileLock(folder / "workers/1.lock"), pytest.raises(TrainingFailed, match=told):
        QLoRATrainer().train(plan(processes=2), folder)
