"""Which suite a session is about: the one that was named, and only one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tunegate.config.project import require_suite, suite_folders, suite_of_args
from tunegate.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("data", "model", "readiness", "_drafts", ".hidden"):
        (tmp_path / "suites" / name).mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    return tmp_path


def test_neighbours_are_suites_too(root: Path) -> None:
    assert [p.name for p in suite_folders({}, root)] == ["data", "model", "readiness"]


def test_configured_elsewhere(root: Path) -> None:
    found = suite_folders({"data": "gates", "model": "suites/model"}, root)
    assert {p.relative_to(root).as_posix() for p in found} == {
        "gates",
        "suites/data",
        "suites/model",
        "suites/readiness",
    }


@pytest.mark.parametrize(
    ("arg", "suite"),
    [
        ("suites/data", "data"),
        ("suites/data/", "data"),
        ("./suites/data/test_x.py::test_y[1]", "data"),
        ("suites/readiness", "readiness"),
        ("tests", None),
        (".", None),
        ("suites/database", None),
    ],
)
def test_named(root: Path, arg: str, suite: str | None) -> None:
    found = suite_of_args([arg], root, suite_folders({}, root))
    assert (found and found.name) == suite


def test_named_from_inside(root: Path) -> None:
    found = suite_of_args(["data"], root / "suites", suite_folders({}, root))
    assert found == root / "suites" / "data"


@pytest.mark.parametrize("args", [["suites"], ["suites/data", "suites/model/test_m.py"]])
def test_two_at_once(root: Path, args: list[str]) -> None:
    with pytest.raises(ConfigError, match="one suite a session"):
        suite_of_args(args, root, suite_folders({}, root))


def test_the_wrong_one(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"you named model: pytest suites/data --train-with x"):
        require_suite(root / "suites" / "model", root, "suites/data", "--train-with x")
    with pytest.raises(ConfigError, match="you named none"):
        require_suite(None, root, "suites/data", "--train-with x")


def test_a_bare_pytest_keeps_out_of_the_suites(project: Project) -> None:
    project.write("tests/test_own.py", "def test_own(): pass")
    assert "1 passed" in project.pytest().out
    assert "4 passed" in project.pytest("suites/data").out


def test_marks_narrow_the_splits(project: Project) -> None:
    project.add(
        "suites/data/test_it.py",
        "\nimport pytest\n@pytest.mark.split('train', 'test')\ndef test_x(dataset): pass\n",
    )
    listed = project.pytest("suites/data", "--collect-only", "-q", "-k", "test_x").out
    assert [ln.rpartition("::")[2] for ln in listed.splitlines() if "::" in ln] == [
        "test_x[train]",
        "test_x[test]",
    ]


def test_an_unknown_split_is_a_mistake(project: Project) -> None:
    project.add(
        "suites/data/test_it.py",
        "\nimport pytest\n@pytest.mark.split('trian')\ndef test_x(dataset): pass\n",
    )
    result = project.gate()
    assert result.code != 0
    assert "unknown split 'trian'; valid: train, validation, test" in result.out
    assert not project.left("*")
