"""Suites run on each mutant in a copy of the project, once; what they miss is named."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.cli.main import main
from tunegate.mutation import faults as record
from tunegate.mutation.faults import FAULTS, JUDGE_MODULE, Mutants

if TYPE_CHECKING:
    from conftest import Project, Result

NAMED = {fault.name: fault for fault in FAULTS}

# It finds a row that stands in another split, and keys; it does not judge the reply.
DATA_SUITE = """\
from tunegate import Finding, check

@check(name="keys")
def keys(dataset):
    for e in dataset:
        if "AKIA" in e.prompt:
            yield e.finding("key", "a key")

def test_keys(dataset):
    assert not keys(dataset)

def test_no_row_twice(train, test):
    assert not {e.prompt for e in train} & {e.prompt for e in test}
"""
MODEL_SUITE = """\
def test_accuracy(predictions):
    assert sum(p.got == p.expected for p in predictions) > 5
"""


def tree(root: Path) -> dict[str, str]:
    """Return the digest of each file of the user's, and where links lead."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and ".tunegate" not in path.parts and "__pycache__" not in path.parts
    }


def mutate(project: Project, *args: str) -> Result:
    bare = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return project.python("-m", "tunegate", "mutate", *args, env=bare)


def sessions(project: Project) -> dict[str, int]:
    """Return when the result of each session was written."""
    kept = (project.root / ".tunegate" / "mutants").glob("*.json")
    return {path.name: path.stat().st_mtime_ns for path in kept}


def test_a_project_end_to_end(project: Project) -> None:
    project.write("suites/data/test_it.py", DATA_SUITE)
    project.write("suites/model/test_m.py", MODEL_SUITE)
    project.add("tunegate.toml", "[compare]\nbaseline = {model = 'toy:nothing'}\n")
    before = tree(project.root)
    kinds = ("--kinds", "leak", "secret", "empty-reply", "broken-json", "one-class-model")
    result = mutate(project, *kinds, "--rows", "2")
    lines = result.out.splitlines()
    assert result.code == 1, result.out
    assert lines[0].split(None, 2) == ["leak", "high", "caught by test_no_row_twice"]
    assert lines[1].split(None, 2) == ["secret", "high", "caught by test_keys[train]"]
    assert lines[2].split() == ["empty-reply", "high", "MISSED"]
    assert lines[3].strip().startswith("not seen: train, line ")
    assert lines[4].strip() == "add: assert not format.find(dataset)"
    assert lines[5].split(None, 2) == ["broken-json", "high", "not applicable"]
    assert lines[6].split(None, 2) == ["one-class-model", "high", "caught by test_accuracy"]
    assert tree(project.root) == before
    assert not [*(project.root / ".tunegate").glob("findings.json")]

    first = sessions(project)
    assert len(first) == 6  # two of the suites without a fault
    again = mutate(project, *kinds, "--rows", "2", "--json")
    assert sessions(project) == first
    verdicts = json.loads(again.out)["verdicts"]
    assert [v["kind"] for v in verdicts] == [name for name in NAMED if name in kinds]
    assert {v["result"] for v in verdicts} == {"caught", "MISSED", "not applicable"}
    assert len(verdicts[1]["planted"]) == 2


def test_what_fails_already_is_told_apart(project: Project) -> None:
    project.write("suites/data/test_it.py", DATA_SUITE)
    project.add("train.jsonl", (project.root / "test.jsonl").read_text().splitlines()[0] + "\n")
    project.add("train.jsonl", project_row("the key AKIA is ours"))
    result = mutate(project, "--kinds", "leak", "secret")
    assert "MISSED" in result.out.splitlines()[0]  # a test without findings: it failed before
    assert "secret               high    caught by test_keys[train]" in result.out
    assert "fails already, so that only new findings count:" in result.out
    assert "suites/data/test_it.py::test_no_row_twice" in result.out


def project_row(asked: str) -> str:
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": "a"}]
    return json.dumps({"messages": turns}) + "\n"


@pytest.mark.parametrize(
    ("file", "is_new"),
    [
        ("house.py", True),
        ("suites/data/words.txt", True),
        ("tunegate.toml", True),
        (".venv/lib/x.py", False),
        ("notes.txt", False),
    ],
)
def test_what_decides_is_run_again(
    project: Project, tmp_path_factory: pytest.TempPathFactory, file: str, is_new: bool
) -> None:
    folder = tmp_path_factory.mktemp("copies")
    before = Mutants(project.root, folder, seed=0, n=1, deadline=0).about
    project.add(file, "# one line more\n")
    assert (Mutants(project.root, folder, seed=0, n=1, deadline=0).about != before) is is_new


def test_a_suite_that_cannot_run_is_one_line(project: Project) -> None:
    project.write("suites/data/conftest.py", "import no_such_module")
    result = mutate(project, "--kinds", "leak")
    assert result.code == 2
    assert result.out.startswith("tunegate mutate: the data suite cannot run: ")
    assert len(result.out.splitlines()) == 1


def test_without_time_nothing_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.root)
    assert main(["mutate", "--kinds", "leak", "--minutes", "0"]) == 75
    assert capsys.readouterr().out.split(None, 2) == ["leak", "high", "not run\n"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kinds", "leek"], "invalid choice: 'leek' (choose from"),
        (["--rows", "0"], "--rows 0: a number from 1 on is needed"),
    ],
)
def test_mistakes(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(project.root)
    try:
        status: Any = main(["mutate", *arguments])
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert said in capsys.readouterr().err


Failed = Mapping[str, Mapping[str, str]]


class Scripted(Mutants):
    """Mutants whose sessions find what is given."""

    results: Mapping[str, Any]

    def session(self, name: str, suite: str, rows: Any) -> Any:
        return self.results.get(name)


def scripted(project: Project, tmp: Path, before: Failed, found: Failed, code: int = 1) -> Any:
    mutants = Scripted(project.root, tmp, seed=0, n=2, deadline=0)
    clean = {"failed": before, "code": 1 if before else 0}
    mutants.results = {"clean-data": clean, "secret": {"failed": found, "code": code}}
    (verdict,) = mutants.verdicts([NAMED["secret"]])
    return verdict


def test_each_row_must_be_found(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    tmp = tmp_path_factory.mktemp("copies")
    planted = scripted(project, tmp, {}, {})["planted"]
    assert len(planted) == 2
    ids = {f"id{i}": place for i, place in enumerate(planted)}
    all_found = scripted(project, tmp, {}, {"test_a": ids, "test_b": {}})
    assert (all_found["result"], all_found["caught_by"]) == ("caught", ["test_a", "test_b"])
    one = scripted(project, tmp, {}, {"test_a": {"id0": planted[0]}})
    assert (one["result"], one["not_found"]) == ("MISSED", [planted[1]])
    by_hand = scripted(project, tmp, {}, {"test_own": {}})  # asserts, and finds nothing itself
    assert by_hand["result"] == "caught"
    known = scripted(project, tmp, {"test_a": ids}, {"test_a": ids})
    assert (known["result"], known["caught_by"]) == ("MISSED", [])
    newer = scripted(project, tmp, {"test_a": {"id0": "x"}}, {"test_a": {"id0": "x", **ids}})
    assert newer["caught_by"] == ["test_a"]
    assert scripted(project, tmp, {}, {}, code=0)["result"] == "MISSED"
    assert scripted(project, tmp, {}, {}, code=1)["caught_by"] == ["the gate"]


FORMS = [
    '[compare.baseline]\nmodel = "openai:x"\n[limits.compare.baseline]\ndifference = 0.1',
    'compare = {baseline = {model = "openai:x"}}',
    'baseline = "openai:x"',
    'judge.models = ["openai:x"]\njudge.rubric = "rubric.toml"',
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lies", [False, True])
def test_no_model_but_the_candidate_is_asked(form: str, lies: bool, tmp_path: Path) -> None:
    """However its table is written; a judge that lies takes the place of the judges."""
    text = f'task = "text"\n{form}\n[limits]\naccuracy = 0.5\n'
    if "[limits." in form:
        text = text.replace("[limits]\naccuracy = 0.5\n", "")
    (tmp_path / "tunegate.toml").write_text(text)
    (tmp_path / f"{JUDGE_MODULE}.py").write_text("") if lies else None
    code = (
        "from pathlib import Path; from tunegate.pytest_plugin import record_session;"
        "from tunegate.session.context import SessionContext; from tunegate.config import schema;"
        "print(schema.load(Path()).model_dump_json())"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert not ran.returncode, ran.stderr
    config = json.loads(ran.stdout)
    assert "openai:x" not in ran.stdout
    assert (config["task"], config["baseline"], config["compare"]) == ("text", None, {})
    assert config["limits"]["compare"] == {}
    assert config["judge"]["models"] == ([f"python:{JUDGE_MODULE}:answer"] if lies else [])
    assert config["limits"]["accuracy"] == (0.95 if "[limits." in form else 0.5)


def test_both_sides_name_the_judge_that_lies_alike() -> None:
    path = Path(record.__file__).parents[1] / "pytest_plugin" / "record_session.py"
    assert f'JUDGE_MODULE = "{JUDGE_MODULE}"' in path.read_text("utf-8")


def test_small_files_are_copied_and_large_ones_linked(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project.write(".git/config", "x")
    project.write("registry.jsonl", "{}")
    project.write("model.bin", "x" * 4_000_001)
    folder = tmp_path_factory.mktemp("copies")
    mutants = Mutants(project.root, folder, seed=0, n=1, deadline=0)
    before = tree(project.root)
    mutants.make_copy(folder / "a", "model", mutants.rows, lies=False)
    copied = {path.name for path in (folder / "a").iterdir()}
    assert {"suites", "conftest.py", "train.jsonl", "tunegate.toml", ".tunegate"} <= copied
    assert not copied & {".git", "registry.jsonl"}
    assert os.path.islink(folder / "a" / "model.bin")
    assert not os.path.islink(folder / "a" / "train.jsonl")
    (folder / "a" / "conftest.py").write_text("# written by a test")
    assert tree(project.root) == before
