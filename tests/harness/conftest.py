"""A small project in a temporary folder, and pytest run on it in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forking
import pytest
from toy_trainer import TOY_TRAINER

CONFIG = """\
[data]
train = "train.jsonl"
validation = "validation.jsonl"
test = "test.jsonl"
"""

CONFTEST = (
    """\
import hashlib, os
from pathlib import Path
import pytest
from tunegate.interfaces.model import Answer
from tunegate.interfaces.trainer import Trained

"""
    + TOY_TRAINER
    + """\
    def train(self, plan, folder):
        (folder / "toy.txt").write_bytes(plan.train.read_bytes())
        return Trained("toy:" + os.path.relpath(folder / "toy.txt", plan.train.parents[2]), "")

class ToyModel:
    def __init__(self, rest, root):
        self.name, self.known = "toy:" + rest, rest != "base"
        what = (root / rest).read_bytes() if self.known else b"base"
        self.digest = hashlib.sha256(what).hexdigest()
    def answers(self, requests):
        for r in requests:
            yield Answer(r.row, "ab"[r.row % 2] if self.known else "?")

@pytest.hookimpl(optionalhook=True)
def pytest_tunegate_trainers(register): register(Toy)

@pytest.hookimpl(optionalhook=True)
def pytest_tunegate_models(register): register("toy", ToyModel)
"""
)

DATA_SUITE = """\
from tunegate import Finding, check

@check
def find(dataset):
    for e in dataset:
        if "bad" in e.prompt:
            yield Finding(e.row, e.line, "bad", e.prompt)

def test_rows(dataset):
    assert not find(dataset)

def test_size(train):
    assert len(train)
"""

MODEL_SUITE = """\
from tunegate.results.score import proportion

def test_accuracy(predictions, limits):
    right = sum(p.right for p in predictions)
    errors = len(predictions.errors)
    assert proportion("accuracy", right, len(predictions), errors=errors) >= limits.accuracy

def test_better(predictions, baseline):
    assert sum(p.right for p in predictions) > sum(p.right for p in baseline)
"""

SHARES = {"train": range(20), "validation": range(20, 26), "test": range(30, 36)}


def row(prompt: str, reply: str) -> str:
    """Return one example as a line of JSONL."""
    told = [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]
    return json.dumps({"messages": told}) + "\n"


@dataclass(frozen=True)
class Result:
    """What a process printed, both streams together, and its exit status."""

    code: int
    out: str

    def line(self, beginning: str) -> str:
        """Return the one line that begins like this, without that beginning."""
        found = [ln for ln in self.out.splitlines() if ln.startswith(beginning)]
        assert len(found) == 1, f"{len(found)} lines begin with {beginning!r}\n{self.out}"
        return found[0].removeprefix(beginning).strip()


class Project:
    """A project with a toy trainer, a toy model, and one short suite for each gate."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("tunegate.toml", CONFIG)
        self.write("conftest.py", CONFTEST)
        self.write("suites/data/test_it.py", DATA_SUITE)
        self.write("suites/model/test_m.py", MODEL_SUITE)
        for split, numbers in SHARES.items():
            text = "".join(row(f"question {n}", "ab"[n % 2]) for n in numbers)
            self.write(f"{split}.jsonl", text)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def copied(self, root: Path) -> Project:
        """Return a copy of the project in another folder."""
        shutil.copytree(self.root, root, symlinks=True)
        moved = Project.__new__(Project)
        moved.root = root
        return moved

    def add(self, name: str, text: str) -> None:
        """Put text behind what the file holds."""
        path = self.root / name
        before = path.read_text("utf-8") if path.exists() else ""
        self.write(name, before + text)

    def python(
        self, *args: str, env: Mapping[str, str] | None = None, fresh: bool = False,
        unwrapped: bool = True,
    ) -> Result:  # fmt: skip
        """Run Python in the project, as a newcomer's shell would: 80 columns, no pytest around.

        `fresh` is for what a fork would hide: what is imported, and who is whose parent.
        `unwrapped`: a decision that took several lines is one in what is returned.
        """
        # pytest shortens nothing where CI is set: what is printed would depend on who asks.
        outside = ("PYTEST", "PY_COLORS", "CI", "BUILD_NUMBER", "GITHUB_")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(outside)}
        clean |= {"COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        code, out = forking.run_python(args, self.root, clean, fresh)
        return Result(code, re.sub(r"\n {12}(?=\S)", " ", out) if unwrapped else out)

    def pytest(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        flags: tuple[str, ...] = (),
        fresh: bool = False,
    ) -> Result:
        """Run pytest. Other people's plugins stay out: their imports would take most of a test."""
        bare = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(env or {})}
        plugins = ["-p", "tunegate", *(["-p", "xdist"] if "-n" in args else [])]
        return self.python(*flags, "-m", "pytest", *plugins, *args, env=bare, fresh=fresh)

    def gate(self, *args: str) -> Result:
        """Run the data suite, training behind it."""
        return self.pytest("suites/data", "--train-with", "toy", *args)

    def judge(self, *args: str, model: str = "latest") -> Result:
        """Run the model suite on a candidate."""
        return self.pytest("suites/model", "--model", model, *args)

    def left(self, name: str) -> list[Path]:
        """Return the files of this name that runs have left behind."""
        return sorted((self.root / ".tunegate" / "runs").glob(f"*/{name}"))

    @property
    def run(self) -> Path:
        """The folder of the one run there is."""
        (receipt,) = self.left("receipt.json")
        return receipt.parent

    @property
    def registry(self) -> list[dict[str, str]]:
        path = self.root / "registry.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that nothing was done with yet."""
    return Project(tmp_path)


@pytest.fixture
def example_row() -> Callable[[str, str], str]:
    """Make lines of JSONL."""
    return row


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was trained, for `trained` to copy."""
    made = Project(tmp_path_factory.mktemp("trained"))
    result = made.gate()
    assert result.code == 0, result.out
    return made


@pytest.fixture
def trained(trained_once: Project, tmp_path: Path) -> Project:
    """A project whose gate has opened and whose run is finished; a copy, yours to spoil."""
    return trained_once.copied(tmp_path / "project")


@pytest.fixture
def promoted(trained: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The same, its model judged and promoted to production, as the working directory."""
    assert trained.judge("--promote", "production", "--why", "better").code == 0
    monkeypatch.chdir(trained.root)
    return trained


@pytest.fixture
def own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget afterwards what was imported here from a project: a report opens its model."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "conftest", sys.modules.get("conftest"))
    if sys.modules["conftest"] is None:  # None would forbid the import of a project's conftest
        del sys.modules["conftest"]


FAKE_GH = """\
#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    log.write(json.dumps([sys.argv[1:], sys.stdin.read()]) + "\\n")
if sys.argv[1] == "pr":
    sys.exit("no pull requests found for branch main") if {branch!r} == "main" else print(8)
elif "--paginate" in sys.argv:
    print({known!r})
else:
    print("https://github.com/o/r/pull/7#issuecomment-1")
"""


@pytest.fixture
def fake_gh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[tuple[list[str], str]]]:
    """Put a program `gh` in the place of the real one; each call returns what it was asked.

    It knows the comments `known`; `branch` main has no pull request. The job is about number 7.
    """
    log = tmp_path / "gh.log"
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "GH_"))]:
        monkeypatch.delenv(name)

    def install_or_read(known: str = "", branch: str = "", number: int | None = 7) -> Any:
        if not (folder := tmp_path / "gh-bin").is_dir():
            folder.mkdir()
            parts = {"python": sys.executable, "log": str(log), "known": known, "branch": branch}
            (folder / "gh").write_text(FAKE_GH.format(**parts))
            (folder / "gh").chmod(0o755)
            monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
            ref = f"refs/pull/{number}/merge" if number else "refs/heads/x"
            monkeypatch.setenv("GITHUB_REF", ref)
            monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
            return []
        return [json.loads(line) for line in log.read_text().splitlines()]

    return install_or_read
