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
    result = stranger.pytest("test_own.py", fresh=True)
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
    result = project.pytest("tests", fresh=True)
    assert result.code == 0, result.out


def test_a_data_suite_loads_no_data_frames(project: Project) -> None:
    heavy = [name for name in HEAVY if name != "pydantic"]  # it validates the configuration
    project.write("suites/data/test_own.py", LOADED.format(heavy=heavy, ours="sorted(ours)"))
    result = project.pytest("suites/data", fresh=True)
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


@pytest.fixture
def below(project: Project) -> Project:
    """A project in the folder `ml`, and the folder above it, where the command runs."""
    inner = project.root / "ml"
    inner.mkdir()
    for path in [p for p in project.root.iterdir() if p != inner]:
        path.rename(inner / path.name)
    return project


def test_from_the_folder_above_it_is_the_project_of_the_named_path(below: Project) -> None:
    result = below.pytest("ml/suites/data/", "--train-with", "toy")
    assert result.code == 0, result.out
    assert [path.name for path in below.root.glob("ml/.tunegate/runs/*/run.json")] == ["run.json"]
    assert not (below.root / ".tunegate").exists()
    assert below.pytest("ml/suites/data/test_it.py::test_size").code == 0


def test_from_the_folder_above_a_bare_pytest_keeps_out_of_the_suites(below: Project) -> None:
    below.write("ml/tests/test_own.py", "def test_own(): pass")
    result = below.pytest()
    assert (result.code, "1 passed" in result.out) == (0, True), result.out


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("ml/suites/data", "ml/suites/data"),
        ("ml/suites/model/test_m.py::test_accuracy --model latest", "ml/suites/model"),
        ("--train-with toy", ""),
    ],
)
def test_a_suite_without_a_configuration_is_one_line(
    below: Project, command: str, named: str
) -> None:
    (below.root / "ml/tunegate.toml").unlink()
    below.write("ml/suites/model/test_m.py", "import tunegate\ndef test_accuracy(): pass")
    result = below.pytest(*command.split())
    assert result.code == 4
    (line,) = [line for line in result.out.splitlines() if line]
    assert line.startswith(f"ERROR: {below.root / named}: no tunegate.toml or [tool.tunegate]")


def test_a_strangers_folder_of_the_usual_name_is_his(stranger: Project) -> None:
    stranger.write("suites/data/test_it.py", "def test_own(): pass")
    assert stranger.pytest("suites/data").code == 0


def test_a_mistake_of_the_session_is_told_under_one_test(project: Project) -> None:
    result = project.pytest("suites/model")
    assert (
        result.out.splitlines().count("no candidate: give --model latest, run:ID, a folder, ...")
        == 1
    )
    assert "as under suites/model/test_m.py::test_accuracy" in result.out
    assert "During handling" not in result.out


RAISES = "import tunegate\ndef test_raises():\n    raise tunegate.ConfigError('name a tool')\n"


def test_a_mistake_that_a_check_raises_is_its_message_alone(project: Project) -> None:
    project.write("suites/data/test_b.py", RAISES)
    out = project.pytest("suites/data", "-k", "raises").out
    assert out.splitlines().count("name a tool") == 1
    assert "test_b.py:3" not in out
    project.write("tests/test_own.py", RAISES)  # in no suite a traceback says where it was raised
    assert "tests/test_own.py:3: ConfigError" in project.pytest("tests").out
