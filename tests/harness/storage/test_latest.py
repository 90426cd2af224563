"""`latest` goes by what the records say of their time, not by what the file system does."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tunegate.interfaces.trainer import Plan, Trained
from tunegate.storage.state_dir import Run, RunNotFound, StateDir, find_finished, run_id

NOON = datetime.fromisoformat("2026-01-02T12:00:00+00:00").timestamp()


def left(
    state: StateDir, name: str, record: Any, receipt: Any = None, *, after_noon: float = 0
) -> Run:
    """Leave a finished run behind; its files are as old as so many seconds after noon."""
    for file, told in (("run.json", record), ("receipt.json", receipt)):
        if told is not None:
            path = state.path("runs", name, file)
            path.write_text(told if isinstance(told, str) else json.dumps(told))
            os.utime(path, (NOON + after_noon, NOON + after_noon))
    return Run(state, name)


def at(time: str) -> dict[str, str]:
    return {"made": f"2026-01-02T{time}+00:00"}


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path)


def test_a_copy_or_a_touch_makes_no_other_run_the_latest(state: StateDir) -> None:
    left(state, "newest", at("13:00:00.000002"), after_noon=-9000)
    left(state, "older", at("13:00:00.000001"), after_noon=9000)
    assert find_finished(state, "latest").id == "newest"


def test_runs_from_before_there_was_made_go_by_receipt_and_by_file(state: StateDir) -> None:
    old, brought = {"figures": {}}, {"figures": {"imported": "2026-01-02T12:30:00+00:00"}}
    left(state, "new", at("12:40:00.5"), at("11:00:00"), after_noon=1)
    left(state, "brought", brought, at("09:00:00"), after_noon=2)
    left(state, "by-receipt", old, at("12:20:00"), after_noon=9000)
    left(state, "same-second", old, at("12:20:00"), after_noon=8999)
    left(state, "by-file", old, {"made": "yesterday"}, after_noon=600)
    left(state, "no-receipt", old, after_noon=500)
    left(state, "unreadable", "{", after_noon=400)
    left(state, "no-record", "[]", after_noon=300)
    order = ["no-record", "unreadable", "no-receipt", "by-file"]
    order += ["same-second", "by-receipt", "brought", "new"]
    with pytest.raises(RunNotFound, match="finished runs: " + ", ".join(order)):
        find_finished(state, "none")


def test_a_time_without_a_zone_is_utc(state: StateDir) -> None:
    run = left(state, "run", {"made": "2026-01-02T12:00:00"})
    assert run.age[0].timestamp() == NOON


def test_a_run_says_to_the_microsecond_when_it_was_finished(state: StateDir) -> None:
    run = Run(state, "run")
    state.write_sealed(state.path("runs", "run", "receipt.json"), {"run": "run"})
    run.write_record(Trained("folder:x", "d"), None, {})
    made = str(run.record["made"])
    assert made.endswith("+00:00")
    assert datetime.fromisoformat(made).isoformat(timespec="microseconds") == made


def test_where_the_project_lies_is_no_part_of_a_run(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "here")
    state.root.mkdir()
    kept = state.store_snapshot(b"{}")
    plan = Plan("toy", kept, None, None, {}, "toy:base", "d", 0, {}, [], state.root)
    assert run_id(replace(plan, root=tmp_path)) == run_id(plan)
    run = Run(state, run_id(plan))
    run.write_intent(plan, [])
    assert "root" not in run.intent
    assert run.plan == plan
    shutil.copytree(state.root, tmp_path / "there")
    assert Run(StateDir(tmp_path / "there"), run.id).plan.root == tmp_path / "there"
