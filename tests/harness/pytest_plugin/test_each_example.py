"""One item per test example: stable names, a complete JUnit file, nothing asked twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from tunegate import Dataset
from tunegate.pytest_plugin.fixtures import example_ids

if TYPE_CHECKING:
    from conftest import Project

SUITE = """\
def test_example(prediction):
    assert not prediction.error
    assert prediction.got == prediction.expected, prediction.prompt
"""


def items(project: Project, *args: str) -> dict[str, bool]:
    """Return each example's item and whether it passed, from JUnit."""
    project.judge("--each-example", "--junitxml=out.xml", *args)
    cases = ElementTree.parse(project.root / "out.xml").iter("testcase")
    found = {str(c.get("name")): c.find("failure") is None for c in cases}
    return {n: passed for n, passed in found.items() if n.startswith("test_example")}


@pytest.fixture
def examined(trained: Project) -> Project:
    trained.write("suites/model/test_each_example.py", SUITE)
    return trained


@pytest.mark.slow
def test_an_item_for_each_example(examined: Project) -> None:
    result = examined.judge("--each-example")
    assert result.code == 0, result.out
    assert "8 passed" in result.out
    assert result.line("gate") == "open: all 2 tests of the suite passed"
    assert len(items(examined)) == 6
    assert "2 passed" in examined.judge().out  # only where it is asked for


@pytest.mark.slow
def test_under_xdist(examined: Project) -> None:
    assert items(examined, "-n", "2") == items(examined) != {}


def test_a_wrong_answer_is_a_failed_test(examined: Project) -> None:
    lines = (examined.root / "test.jsonl").read_text().splitlines()
    row = json.loads(lines[2])
    row["messages"][-1]["content"] = "something else"
    examined.write("test.jsonl", "\n".join([*lines[:2], json.dumps(row), *lines[3:]]))
    examined.write("tunegate.toml", (examined.root / "tunegate.toml").read_text() + LIMIT)
    result = examined.judge("--each-example")
    assert result.code == 1
    assert "question 32" in result.out
    assert result.line("gate").startswith("closed: 1 failed: suites/model/test_each_example.py::")


LIMIT = "[limits]\naccuracy = 0.5\n"


def test_a_file_of_that_name_elsewhere_is_none_of_ours(project: Project) -> None:
    project.write("tests/test_each_example.py", "def test_mine(): pass")
    assert "1 passed" in project.pytest("tests").out
    assert "1 passed" in project.pytest().out


def test_names_do_not_depend_on_the_order(example_row: Callable[[str, str], str]) -> None:
    rows = [json.loads(example_row(f"question {n}", "a")) for n in range(20)]
    assert sorted(example_ids(Dataset.of(rows))) == sorted(example_ids(Dataset.of(rows[::-1])))
    assert len(set(example_ids(Dataset.of([*rows, *rows])))) == 40


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("suites/data", "--each-example"), "--each-example goes with a model suite"),
        (("suites/model", "--model", "latest", "--each-example"), "which is not there"),
    ],
    ids=["no-model", "no-file"],
)
def test_mistakes(trained: Project, args: tuple[str, ...], said: str) -> None:
    result = trained.pytest(*args)
    assert result.code == 4
    assert said in result.out
