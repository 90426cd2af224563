"""What is published: one version, one list of constraints, a wheel and an sdist that are whole."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

import tunegate

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import constraints  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def name_of(requirement: str) -> str:
    """Return the name of a requirement, as the index compares names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~ ]", requirement)[0]).lower()


def test_the_version_stands_in_one_place() -> None:
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    cited = re.findall(r"(?m)^version: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited == [tunegate.__version__]


def test_the_constraints_name_every_requirement() -> None:
    extras = PROJECT["optional-dependencies"].values()
    wanted = {name_of(r) for group in [PROJECT["dependencies"], *extras] for r in group}
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert sorted(wanted - {"tunegate"} - {*map(name_of, pinned)}) == []
    assert constraints.text(pinned).splitlines() == lines
    assert constraints.KEPT in pinned


def test_constraints_are_made_of_the_report_of_pip() -> None:
    found = [("torch", "2.13.0+cpu"), ("Jinja2", "3.1.6"), ("tunegate", "0.1.0")]
    report = {"install": [{"metadata": {"name": n, "version": v}} for n, v in found]}
    made = constraints.text(constraints.pins(report))
    assert made.removeprefix(constraints.HEAD) == "Jinja2==3.1.6\ntorch==2.13.0\n"


def test_every_library_says_why_it_is_there() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    silent = [r for r in PROJECT["dependencies"] if f"| {name_of(r)} |" not in page]
    extras = [n for n in PROJECT["optional-dependencies"] if n != "dev" and f"`{n}`" not in page]
    assert (silent, extras) == ([], [])


@pytest.mark.slow
def test_wheel_and_sdist_are_whole(tmp_path: Path) -> None:
    """`make wheel` does the same; `pip install -e '.[release]'` has the test run."""
    for module in ("build", "twine", "check_wheel_contents"):
        pytest.importorskip(module, reason="the extra [release] is not installed: make wheel")
    python = [sys.executable, "-m"]
    made = ["build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run([*python, *made], check=True, capture_output=True)
    files = [str(path) for path in sorted(tmp_path.iterdir())]
    assert len(files) == 2
    subprocess.run([*python, "twine", "check", "--strict", *files], check=True)
    subprocess.run([*python, "check_wheel_contents", files[0]], cwd=ROOT, check=True)
    with tarfile.open(files[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"README.md", "LICENSE", "suites/data/test_format.py", "tests/test_docs.py"} <= names
    assert not [name for name in names if name.startswith((".tunegate", ".venv", "site/"))]
