"""What tunegate costs where it is only installed: nothing is imported, nothing is added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

HEAVY = ("pandas", "numpy", "sklearn", "torch", "rapidfuzz", "pydantic", "rich", "phonenumbers")

LOADED = """
import sys
def test_loaded():
    ours = [n for n in sys.modules if n.partition(".")[0].startswith("tunegate")]
    heavy = [n for n in {heavy} if n in sys.modules]
    assert (sorted(ours), heavy) == ({ours}, [])
"""


@pytest.fixture
def stranger(project: Project) -> Project:
    """A project that has no tunegate configuration."""
    (project.root / "tunegate.toml").unlink()
    project.write("conftest.py", "")
    return project


def test_a_strangers_project_loads_the_door_alone(stranger: Project) -> None:
    ours = [
        *("tunegate", "tunegate.config", "tunegate.config.project", "tunegate.errors"),
        *("tunegate.pytest_plugin", "tunegate.pytest_plugin.plugin"),
    ]
    stranger.write("test_own.py", LOADED.format(heavy=HEAVY, ours=ours))
    result = stranger.pytest("test_own.py")
    assert result.code == 0, result.out


def test_nothing_is_added(stranger: Project) -> None:
    told = stranger.pytest("--help").out + stranger.pytest("--fixtures").out
    for word in ("--train-with", "--promote", "trained_on", "tunegate_trainers", "split(*names)"):
        assert word not in told
    assert stranger.pytest("--train-with", "toy").code == 4


OWN = """
import pytest
def pytest_addoption(parser):
    parser.addoption("--model", default="mine")
    parser.addoption("--promote", action="store_true")
@pytest.fixture(params=[1, 2])
def dataset(request): return request.param
@pytest.fixture
def train(): return "choo choo"
"""
OWN_TEST = """
def test_own(dataset, train, pytestconfig):
    assert dataset in (1, 2) and train == "choo choo" and pytestconfig.getoption("model") == "mine"
"""


def test_a_stranger_keeps_his_names(stranger: Project) -> None:
    stranger.write("conftest.py", OWN)
    stranger.write("test_own.py", OWN_TEST)
    assert "2 passed" in stranger.pytest("test_own.py").out


def test_fixtures_of_the_same_name_in_a_project_of_ours(project: Project) -> None:
    """The option would clash, and says so; a fixture is the project's own, as always in pytest."""
    project.add("conftest.py", OWN.replace('"--model"', '"--own"').replace('"--promote"', '"--p2"'))
    project.write("tests/test_own.py", OWN_TEST.replace("model", "own"))
    assert "2 passed" in project.pytest("tests").out


def test_hooks_without_tunegate(project: Project) -> None:
    project.write("tests/test_own.py", "def test_own(): pass")
    result = project.python("-m", "pytest", "-p", "no:tunegate", "tests")
    assert (result.code, "1 passed" in result.out) == (0, True), result.out


def test_an_ordinary_session_in_a_project_of_ours_is_light(project: Project) -> None:
    test = LOADED.format(heavy=HEAVY, ours="sorted(ours)")
    project.write("tests/test_own.py", test)
    result = project.pytest("tests")
    assert result.code == 0, result.out


def test_a_data_suite_loads_no_data_frames(project: Project) -> None:
    heavy = [name for name in HEAVY if name != "pydantic"]  # it validates the configuration
    project.write("suites/data/test_own.py", LOADED.format(heavy=heavy, ours="sorted(ours)"))
    result = project.pytest("suites/data")
    assert result.code == 0, result.out


def test_beside_other_peoples_plugins(project: Project) -> None:
    """Everything else runs without them, for speed."""
    result = project.python("-m", "pytest", "suites/data", "--train-with", "toy")
    assert result.code == 0, result.out
    assert project.left("run.json")


def test_of_two_projects_the_inner_one_that_we_stand_in_is_ours(project: Project) -> None:
    inner = type(project)(project.root / "inner")
    project.write("pytest.ini", "[pytest]\n")  # so that the outer folder is pytest's rootdir
    result = inner.pytest("suites/data")
    assert f"rootdir: {project.root}\n" in result.out
    assert result.code == 0, result.out
    assert (inner.root / ".tunegate").is_dir()
    assert not (project.root / ".tunegate").exists()
