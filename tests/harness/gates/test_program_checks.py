"""The programs of `[checks]` in the data gate: each is a test, and its files are in the receipt."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..conftest import Project

SUITE = """\
from tunegate_checks.data import programs

def test_program(dataset, program_check):
    assert not programs.find(dataset, program=program_check)
"""
HOUSE = """\
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    if "7" in row["prompt"]:
        print(json.dumps({"row": row["row"], "kind": "seven", "evidence": row["prompt"]}))
"""


def test_a_program_is_a_test_of_the_suite(project: Project) -> None:
    project.write("suites/data/test_programs.py", SUITE)
    assert "4 passed, 3 deselected in" in project.pytest("suites/data").out  # without [checks]
    command = json.dumps([sys.executable, "-S", "house.py"])
    project.add("tunegate.toml", f"[checks.house]\ncommand = {command}\n")
    project.write("house.py", HOUSE)

    closed = project.gate()
    assert "test_program[train-house]" in closed.out
    assert "seven  question 7" in closed.out
    assert "gate      closed, nothing was trained: 1 failed" in closed.out

    project.write("house.py", HOUSE.replace('"7"', '"x"'))
    assert "gate      open" in project.gate().out
    files = json.loads(project.left("receipt.json")[-1].read_text())["suite"]["files"]
    assert "house.py" in files

    (project.root / "house.py").unlink()
    broken = project.gate()  # before the first test
    assert "Traceback" not in broken.out
    assert "names no file of the project" in broken.out

    project.write("house.py", HOUSE)
    (project.root / "suites/data/test_programs.py").unlink()
    assert "no test ran [checks.house] on train" in project.gate().out
