"""A run that is opened again: what makes it that run, what it holds, how it is found."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tunegate.errors import ConfigError
from tunegate.interfaces.trainer import Plan, Trained
from tunegate.storage.state_dir import (
    Run,
    RunNotFound,
    SealBroken,
    StateDir,
    find_finished,
    find_started,
    run_id,
)

DATA = b'{"messages": [{"role": "user", "content": "a"}]}\n'
TABLE = b"text,category\nhello,a\n"
COLUMNS = {"prompt": "text", "reply": "category"}


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path)


@pytest.fixture
def plan(state: StateDir) -> Plan:
    """A plan on snapshots that are kept."""
    train, validation = state.store_snapshot(DATA), state.store_snapshot(DATA + DATA)
    config = {"base": "b", "rate": 0.1, "port": 1}
    return Plan(
        "toy",
        train,
        validation,
        None,
        config,
        "toy:base",
        "0123",
        7,
        incidental=["port"],
        root=state.root,
    )


def opened(state: StateDir, plan: Plan, **told: Any) -> Run:
    """Begin the run of a plan as a gate does: with its receipt."""
    run = Run(state, run_id(plan))
    run.write_intent(plan, [])
    splits = {"train": plan.train, "validation": plan.validation}
    data = {split: {"digest": path.stem} for split, path in splits.items() if path}
    receipt = {"run": run.id, "data": data, **told}
    state.write_sealed(run.folder / "receipt.json", receipt)
    return Run(state, run.id)


def ended(run: Run, **told: Any) -> Run:
    run.write_record(Trained(**{"model": "toy:m", "digest": "d", **told}), None, {"e1": "d1"})
    return Run(run.state, run.id)


@pytest.mark.parametrize(
    "change",
    [
        {"trainer": "other"},
        {"train": Path("other.jsonl")},
        {"validation": Path("other.jsonl")},
        {"validation": None},
        {"config": {"base": "b", "rate": 0.2, "port": 1}},
        {"config": {"base": "b", "rate": 0.1, "port": 1, "more": None}},
        {"base_digest": "0124"},
        {"seed": 8},
        {"columns": COLUMNS},
        {"incidental": []},
    ],
)
def test_another_plan_is_another_run(plan: Plan, change: dict[str, Any]) -> None:
    assert run_id(replace(plan, **change)) != run_id(plan)


@pytest.mark.parametrize(
    "change",
    [
        {"test": Path("test.jsonl")},
        {"base": "toy:elsewhere"},
        {"config": {"port": 2, "rate": 0.1, "base": "b"}},
    ],
)
def test_what_changes_nothing_in_the_training_leaves_the_run(
    plan: Plan, change: dict[str, Any]
) -> None:
    assert run_id(replace(plan, **change)) == run_id(plan)
    assert len(run_id(plan)) == 12


def test_the_plan_is_read_back(state: StateDir, plan: Plan) -> None:
    table = state.store_snapshot(TABLE)
    for one in (plan, replace(plan, train=table, validation=None, columns=COLUMNS)):
        run = opened(state, one)
        assert run.plan == one
        assert not run.finished
        assert json.loads((run.folder / "config.json").read_bytes()) == one.config
        run.verify()


def test_a_copy_of_a_project_loads_its_own_plugins(
    state: StateDir, plan: Plan, tmp_path: Path
) -> None:
    root = tmp_path.resolve()
    (beside := root.parent / "beside.py").touch()
    run = Run(state, run_id(plan))
    run.write_intent(plan, [root / "conftest.py", root / "ml" / "toy.py", beside])
    assert run.intent["plugins"] == ["conftest.py", "ml/toy.py", beside.as_posix()]
    copy = tmp_path / "copy"
    moved = Run(StateDir(copy), run.id)
    for whole_paths in (False, True):  # as older versions wrote them
        moved.__dict__["intent"] = run.intent
        assert moved.plugins == [copy / "conftest.py", copy / "ml" / "toy.py", beside]
        if not whole_paths:
            names = [root / name for name in run.intent["plugins"]]
            run.intent["plugins"] = [str(name) for name in names]
    assert run.plugins == names


def test_what_came_of_it_is_read_back(state: StateDir, plan: Plan) -> None:
    run = ended(opened(state, plan), checkpoints={"e1": "toy:e1"}, figures={"word": "Ana's"})
    assert run.finished
    assert run.attestation == "Ana's"
    assert run.record["run"] == run.id
    assert run.model_of() == ("toy:m", "d")
    assert run.model_of("e1") == ("toy:e1", "d1")
    with pytest.raises(RunNotFound, match=f"run {run.id} has no checkpoint 'e2'; it has: e1"):
        run.model_of("e2")
    run.verify()


def test_the_receipt_must_be_the_one_it_was_trained_on(state: StateDir, plan: Plan) -> None:
    run = ended(opened(state, plan))
    opened(state, plan, when="later")
    with pytest.raises(SealBroken, match="is not the one this run was trained on"):
        Run(state, run.id).verify()


def test_the_receipt_must_be_this_run_s(state: StateDir, plan: Plan) -> None:
    run = opened(state, plan, run="another")
    with pytest.raises(SealBroken, match="the receipt is that of run another"):
        run.verify()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_receipt_must_be_about_the_data(state: StateDir, plan: Plan, split: str) -> None:
    data = {s: {"digest": getattr(plan, s).stem} for s in ("train", "validation")}
    for told in ({**data, split: {"digest": "0" * 64}}, {s: data[s] for s in data if s != split}):
        with pytest.raises(SealBroken, match=f"the receipt is not about this {split} data"):
            opened(state, plan, data=told).verify()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_snapshot_that_is_changed_or_gone_is_noticed(
    state: StateDir, plan: Plan, split: str
) -> None:
    run, path = opened(state, plan), getattr(plan, split)
    path.write_bytes(DATA * 3)
    with pytest.raises(SealBroken, match="was changed: its digest is"):
        run.verify()
    path.unlink()
    with pytest.raises(SealBroken, match="No such file"):
        run.verify()


def test_a_plan_that_is_edited_is_noticed(state: StateDir, plan: Plan) -> None:
    run = opened(state, plan)
    path = run.folder / "intent.json"
    path.write_text(path.read_text().replace('"seed": 7', '"seed": 8'))
    with pytest.raises(SealBroken, match=r"intent\.json was changed since the gate opened"):
        run.verify()


@pytest.mark.parametrize("content", ["null", "7", "[1]", '"no plan"'])
def test_an_intent_that_is_no_object_is_noticed(state: StateDir, plan: Plan, content: str) -> None:
    run = opened(state, plan, intent="of the plan")
    (run.folder / "intent.json").write_text(content)
    with pytest.raises(SealBroken, match=r"intent\.json was changed since the gate opened"):
        run.verify()


def test_rows_of_a_table_are_read_by_its_columns(state: StateDir, plan: Plan) -> None:
    table = replace(plan, train=state.store_snapshot(TABLE), columns=COLUMNS)
    (example,) = opened(state, table).data("train")
    assert (example.prompt, example.reply) == ("hello", "a")
    assert opened(state, table).data("train").split == "train"


def test_readings_end_at_a_line_that_was_cut_short(state: StateDir, plan: Plan) -> None:
    run = opened(state, plan)
    assert run.curves() == run.curves(after_kept=True) == []
    (run.folder / "curves.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"st\n{"step": 4}\n')
    (run.folder / "curves-beyond.jsonl").write_text('{"step": 5}\n')
    assert run.curves() == [{"step": 1}, {"step": 2}]
    assert run.curves(after_kept=True) == [{"step": 5}]


def test_a_scorecard_s_folder_is_there(state: StateDir) -> None:
    path = Run(state, "abc").scorecard_path("card")
    assert path == state.runs / "abc" / "scorecards" / "card.json"
    assert path.parent.is_dir()


@pytest.fixture
def several(state: StateDir) -> StateDir:
    """Three finished runs, `aa2` the newest of them, and one that is not."""
    for age, name in enumerate(("aa2", "aa1", "b1")):
        path = state.path("runs", name, "run.json")
        path.write_text("{}")
        os.utime(path, ns=(0, 10**18 - age))
    for name in ("aa1", "c1", "c2"):
        state.path("runs", name, "intent.json").write_text("{}")
    return state


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *[("latest", "aa2"), ("aa1", "aa1"), ("b", "b1"), ("aa2", "aa2")],
        *[("run:latest", "aa2"), ("run:b", "b1")],
    ],
)
def test_a_finished_run_is_found(several: StateDir, name: str, found: str) -> None:
    assert find_finished(several, name).id == found


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("aa", "'aa' fits 2 finished runs; finished runs: b1, aa1, aa2"),
        ("c1", "no finished run 'c1'; finished runs: b1, aa1, aa2"),
        ("", "no finished run ''"),
        ("run:", "no finished run ''"),
        ("a1", "no finished run 'a1'"),
    ],
)
def test_a_run_that_is_not_found_names_those_there_are(
    several: StateDir, name: str, says: str
) -> None:
    with pytest.raises(RunNotFound) as caught:
        find_finished(several, name)
    assert str(caught.value).startswith(says)


def test_where_there_is_no_run_the_command_is_named(state: StateDir) -> None:
    with pytest.raises(RunNotFound, match=r"no finished run 'latest'; .* none yet; train one with"):
        find_finished(state, "latest")
    with pytest.raises(ConfigError, match="no run 'aa'; runs: none yet"):
        find_started(state, "aa")


@pytest.mark.parametrize("name", ["c1", "run:c1"])
def test_a_run_that_was_begun_is_found(several: StateDir, name: str) -> None:
    assert find_started(several, name).id == "c1"


def test_a_name_that_is_empty_behind_run_fits_no_run(state: StateDir) -> None:
    """Also where there is but one, which every beginning would fit."""
    state.path("runs", "c1", "intent.json").write_text("{}")
    with pytest.raises(RunNotFound, match="no run ''; runs: c1"):
        find_started(state, "run:")


@pytest.mark.parametrize("find", [find_finished, find_started])
def test_a_run_that_is_not_found_is_one_error_which_every_command_prints(
    several: StateDir, find: Callable[[StateDir, str], Run]
) -> None:
    with pytest.raises(RunNotFound) as caught:
        find(several, "zz")
    assert isinstance(caught.value, ConfigError)


@pytest.mark.parametrize("name", ["c", "", "b1", "run:", "run:c"])
def test_a_beginning_that_fits_none_or_more_names_those_there_are(
    several: StateDir, name: str
) -> None:
    with pytest.raises(RunNotFound, match=r"; runs: aa1, c1, c2$"):
        find_started(several, name)
