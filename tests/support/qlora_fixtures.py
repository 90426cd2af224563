"""Fixtures for the plugins that train here: a project with a tiny random Llama as its base."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elsewhere import finished
from filelock import FileLock
from tiny_llama import make_base, make_plan, make_project

from tunegate.interfaces.trainer import Plan

os.environ["HF_HUB_OFFLINE"] = "1"
# So small a model gains nothing from a second thread, and waits for it where cores are busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest.importorskip("torch")
pytest.importorskip("bitsandbytes")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base model; nobody writes to it."""
    return make_base(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="session")
def template(base: Path) -> Any:
    """The base's chat template."""
    from tunegate.tokenization.chat_template import load_template

    return load_template(base)


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    """A project with one finished run, whose adapter knows its tickets; nobody writes to it.

    It is trained once for all processes of xdist.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    project = folder / "finished"
    with FileLock(folder / "finished.lock"):
        if not list(project.glob(".tunegate/runs/*/run.json")):
            shutil.rmtree(project, ignore_errors=True)
            project.mkdir()
            finished(make_project(project, base))
    return project


@pytest.fixture
def project(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's root, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path, base)


@pytest.fixture
def plan(project: Path) -> Callable[..., Plan]:
    """Make a plan in the project."""
    return functools.partial(make_plan, project)


@pytest.fixture
def folder(project: Path) -> Path:
    """A run's folder."""
    made = project / ".tunegate/runs/abc"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def second(folder: Path) -> Path:
    """Another run's folder."""
    made = folder.with_name("def")
    made.mkdir()
    return made
