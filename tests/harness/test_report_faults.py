"""`tunegate report` on what was tampered with, rolled back, or promoted twice: it tells the truth."""

from __future__ import annotations

import re
import shutil
import sys
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tunegate.cli import main

if TYPE_CHECKING:
    from conftest import Project


@pytest.fixture(scope="module")
def judged_once(trained_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose run was judged and promoted, for `judged` to copy."""
    made = copied(trained_once, tmp_path_factory.mktemp("judged") / "project")
    result = made.judge("--promote", "production")
    assert result.code == 0, result.out
    return made


@pytest.fixture
def judged(judged_once: Project, tmp_path: Path) -> Project:
    """A copy, yours to spoil."""
    return copied(judged_once, tmp_path / "project")


def copied(project: Project, root: Path) -> Project:
    """Return a copy of a project in another folder."""
    shutil.copytree(project.root, root, symlinks=True)
    moved = object.__new__(type(project))
    moved.root = root
    return moved


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget afterwards what a report imported from the project."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "conftest", sys.modules["conftest"])


def told(project: Project, *args: str) -> str:
    """Return what a reader of the page reads, on one line."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(project.root)
        assert main(["report", *args, "-o", "page.html"]) == 0
    page = (project.root / "page.html").read_text("utf-8")
    body = page[page.index("<body>") :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.mark.parametrize("how", ["figure", "seal", "key"])
def test_a_run_that_nobody_sealed_here_does_not_verify(judged: Project, how: str) -> None:
    """And no line of the registry is about it: whether it could be promoted is asked."""
    (judged.root / "registry.jsonl").unlink()
    record = judged.run / "run.json"
    if how == "figure":
        record.write_text(record.read_text().replace('"figures": {}', '"figures": {"loss": 0}'))
    elif how == "seal":
        record.write_text(re.sub(r'"seal": "\w+"', '"seal": ""', record.read_text()))
    else:
        (judged.root / ".tunegate" / "key").unlink()
    text = told(judged)
    assert "a promotion would be refused: " in text
    assert "model ✗ does not verify" in text
    assert "run.json was not written by a gate of this state tree, or was changed since" in text
