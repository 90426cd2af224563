"""The process that trains is told where the project lies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tunegate.interfaces.trainer import Plan

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
