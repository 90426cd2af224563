from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate_qlora.config import resolve_settings
from tunegate_qlora.distributed import launch
from tunegate_qlora.runtime.libraries import LOST_PROCESS
from tunegate_qlora.trainer import QLoRATrainer


def arguments(machine: int = 0, **said: Any) -> str:
    settings = resolve_settings({"base": "base", **said})
    return " ".join(launch.torchrun_arguments(settings, machine, Path("run/workers")))


def test_processes_on_one_machine_find_a_port_themselves() -> None:
    assert arguments(processes=4) == (
        "--standalone --local-addr 127.0.0.1 --nproc-per-node 4 --log-dir run/workers/errors-0 "
        "-m tunegate_qlora.distributed.worker run/workers/order-0.json"
    )


@pytest.mark.parametrize("host", ["10.0.0.1", "[fe80::1]"])
def test_machines_meet_at_the_address(host: str) -> None:
    assert arguments(2, processes=4, machines=3, address=f"{host}:29500") == (
        f"--nnodes 3 --node-rank 2 --master-addr {host} --master-port 29500 --nproc-per-node 4 "
        "--log-dir run/workers/errors-2 "
        "-m tunegate_qlora.distributed.worker run/workers/order-2.json"
    )


def test_torchrun_takes_these_arguments() -> None:
    from torch.distributed import run as torchrun

    told = arguments(1, processes=4, machines=2, address="10.0.0.1:29500").split()
    taken = torchrun.parse_args(told)
    assert (taken.nnodes, taken.nproc_per_node, taken.node_rank) == ("2", "4", 1)
    assert (taken.master_addr, taken.master_port) == ("10.0.0.1", 29500)
    assert taken.training_script_args == ["run/workers/order-1.json"]
    assert torchrun.parse_args(arguments(processes=4).split()).standalone


def failed(place: Path, rank: int, message: str, second: int) -> None:
    """Leave the error file of a rank, as torchrun's `@record` writes it."""
    path = place / f"errors-{rank // 4}/none_abc/attempt_0/{rank % 4}/error.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"message": {"message": message, "extraInfo": {}}}))
    os.utime(path, (second, second))


def test_the_first_message_that_is_a_cause_is_told(tmp_path: Path) -> None:
    failed(tmp_path, 0, f"TrainingFailed: {LOST_PROCESS}", 1)
    failed(tmp_path, 1, "KeyError: later", 3)
    failed(tmp_path, 5, "TrainingFailed: the disk is full", 2)  # on another machine
    (tmp_path / "launcher-0.json").write_text(json.dumps({"exits": {"3": 70, "0": -15}}))
    assert launch.failure_reason(tmp_path, 0, 8) == "the disk is full"
    (tmp_path / "order-0.json").write_text("{}")
    os.utime(tmp_path / "order-0.json", (3, 3))  # another machine's, of an attempt before this one
    assert launch.failure_reason(tmp_path, 0, 8) == "KeyError: later"


def test_a_kill_is_told_before_what_it_caused(tmp_path: Path) -> None:
    failed(tmp_path, 0, f"TrainingFailed: {LOST_PROCESS}", 1)
    (tmp_path / "launcher-0.json").write_text(json.dumps({"exits": {"0": 70, "2": -9}}))
    assert launch.failure_reason(tmp_path, 0, 4).startswith("process 2 of 4 was killed (SIGKILL), ")


def test_where_no_worker_speaks_the_launcher_does(tmp_path: Path) -> None:
    report = tmp_path / "launcher-0.json"
    report.write_text(json.dumps({"error": "ConnectionError: port 1"}))
    assert launch.failure_reason(tmp_path, 0, 4) == "ConnectionError: port 1"
    report.unlink()
    assert launch.failure_reason(tmp_path, 0, 4) == launch.LAUNCHER_KILLED
    report.write_text(json.dumps({"exits": {"1": -11, "0": -15}}))
    assert launch.failure_reason(tmp_path, 0, 4) == "process 1 of 4 crashed (signal 11)"
    report.write_text(json.dumps({"exits": {"1": 1}}))
    assert launch.failure_reason(tmp_path, 0, 4) == "process 1 ended with exit code 1"
    report.write_text(json.dumps({"exits": {"1": -11}}))
    failed(tmp_path, 0, f"TrainingFailed: {LOST_PROCESS}", 1)
    assert launch.failure_reason(tmp_path, 0, 4) == "process 1 of 4 crashed (signal 11)"
    report.unlink()
    assert launch.failure_reason(tmp_path, 0, 4) == LOST_PROCESS


def test_while_a_worker_of_an_earlier_attempt_lives_none_is_started(
    folder: Path, plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "WORKER_TIMEOUT", 0)
    (folder / "workers").mkdir()
    told = r"process 1 of an earlier attempt is still there: .*1\.lock"
    with FileLock(folder / "workers/1.lock"), pytest.raises(TrainingFailed, match=told):
        QLoRATrainer().train(plan(processes=2), folder)
