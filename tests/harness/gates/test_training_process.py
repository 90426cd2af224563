"""The process that trains is told where the project lies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from tunegate.gates import training_process
from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate.storage.state_dir import StateDir

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project


def test_a_state_tree_may_be_a_link_to_another_disk(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As preflight advises where this one is full: the run's real folder lies in no project."""
    disk = tmp_path_factory.mktemp("disk")
    (project.root / ".tunegate").symlink_to(disk)
    conftest = (project.root / "conftest.py").read_text()
    project.write("conftest.py", conftest.replace("plan.train.parents[2]", "plan.root"))
    assert project.gate().code == 0
    record = json.loads((project.run / "run.json").read_text())
    assert record["model"] == f"toy:.tunegate/runs/{project.run.name}/toy.txt"


def test_a_plan_of_nobody_who_says_starts_from_the_working_directory(tmp_path: Path) -> None:
    plan = Plan("toy", tmp_path, None, None, {}, "toy:base", "", 0)
    assert plan.root.absolute() == tmp_path.cwd()


def test_no_failure_shows_a_private_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OWN_API_KEY", "own-Zt5Rk8Wd2Yh9Xn4Vb7Mq3Jf6")
    folder = StateDir(tmp_path).path("runs", "0123456789ab")
    folder.mkdir(parents=True)
    for error in (
        RuntimeError("401 for own-Zt5Rk8Wd2Yh9Xn4Vb7Mq3Jf6, row ana.silva@loja.com.br"),
        TrainingFailed("no job for ana.silva@loja.com.br \x1b[2J at http://u:s3cret-pw@host/v1"),
    ):
        monkeypatch.setattr(training_process, "train_run", Mock(side_effect=error))
        assert training_process.main(folder, tmp_path) == 70
    told = capsys.readouterr().err + (folder / "error.log").read_text("utf-8")
    assert told.count("a***@l***.br") == 3
    assert "Traceback" in told
    assert not any(part in told for part in ("Wd2Yh9Xn", "silva", "s3cret", "\x1b"))
