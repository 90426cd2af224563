"""Which tests of a suite run, the names of their fixtures, and by what their scores are held."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

FILE = "suites/data/test_more.py"
MARKED = """
import pytest

pytestmark = pytest.mark.task("qa", "classification")

@pytest.mark.task("qa")
def test_answers(dataset): assert 0

def test_labels(train): pass
"""


def test_tests_for_other_tasks_are_not_applicable(project: Project) -> None:
    """Neither the session nor the gate's own listing holds them; both marks must name the task."""
    project.write(FILE, MARKED)
    result = project.gate()
    assert result.code == 0, result.out
    assert "5 passed, 3 deselected" in result.out
    assert result.line("not for this project:") == "3 tests of more"
    assert "all 5 tests of the suite passed" in result.line("gate      open:")
    receipt = json.loads((project.run / "receipt.json").read_text())
    assert not any("test_answers" in name for name in receipt["tests"])
    assert receipt["removed"] == []


def test_in_a_project_with_the_task_they_run(project: Project) -> None:
    config = project.root / "tunegate.toml"
    config.write_text('task = "qa"\n' + config.read_text())
    project.write(FILE, MARKED)
    result = project.pytest("suites/data")
    assert "3 failed, 5 passed" in result.out
    assert "not for this project" not in result.out


def test_a_session_with_nothing_applicable_says_why(project: Project) -> None:
    project.write(FILE, MARKED.replace("def test_labels(train): pass", ""))
    result = project.pytest(FILE)
    assert result.code == 5
    assert result.line("not for this project:") == "3 tests of more"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("@pytest.mark.task('clasification')", "unknown task 'clasification'"),
        ("@pytest.mark.task()", "mark.task without a task"),
    ],
)
def test_an_unknown_task_is_a_usage_error(project: Project, text: str, told: str) -> None:
    project.write(FILE, f"import pytest\n{text}\ndef test_x(train): pass\n")
    result = project.gate()
    assert result.code == 4
    valid = "classification, multilabel, extraction, tools, qa, text, code, chat, style"
    line = f"{FILE}::test_x: {told}; valid: {valid}"
    assert result.line("ERROR:") == line
    assert not project.left("*")


def test_the_controller_of_xdist_says_what_was_not_applicable(project: Project) -> None:
    project.write(FILE, MARKED)
    result = project.pytest("suites/data", "-n", "2")
    assert "5 passed" in result.out
    assert result.line("not for this project:") == "3 tests of more"


OWN = """
from tunegate import proportion

def test_set(limits): assert proportion("polite", 19, 20) >= limits.own.politeness

def test_number(): assert proportion("right", 19, 20) >= 0.95

def test_rate(): assert proportion("rude", 1, 20) <= 0.05

def test_by_point(): assert proportion("right", 19, 20).by("point") >= 0.95

def test_shown(limits): assert proportion("kind", 1, 20) >= limits.own.get("kindness")

def test_unset(limits): assert proportion("kind", 1, 20) >= limits.own["kindness"]
"""


def test_the_mode_reaches_scores_of_ones_own(project: Project) -> None:
    project.add("tunegate.toml", '[limits]\nmode = "lower"\nown = { politeness = 0.9 }\n')
    project.write(FILE, OWN)
    out = project.pytest(FILE).out
    assert "4 failed, 2 passed" in out
    for line in (
        "polite lower bound >= 90% is unmeasurable at n = 20: at least 29 rows are needed",
        "right lower bound >= 95% is unmeasurable at n = 20: at least 59 rows are needed",
        "rude upper bound <= 5% is unmeasurable at n = 20: at least 59 rows are needed",
        "\nset limits.own.kindness in tunegate.toml",
    ):
        assert line in out
    assert "schema.py" not in out  # of what is not set, the test's own line is shown
    assert "none set" in out  # of `limits.own.get`


def test_outside_of_the_suites_numbers_are_numbers(project: Project) -> None:
    project.add("tunegate.toml", '[limits]\nmode = "lower"\n')
    project.write("tests/test_own.py", OWN)
    out = project.pytest("tests", "-k", "number or rate").out
    assert "2 passed" in out
