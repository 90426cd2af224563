"""A model without a run is kept when it was judged; which rows were asked is said everywhere."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from _pytest.config import PytestPluginManager

from tunegate.cli.main import main
from tunegate.errors import ConfigError
from tunegate.gates.promotion import models_judged
from tunegate.interfaces.model import ModelUnknown
from tunegate.interfaces.trainer import Plan
from tunegate.models.spec import Candidate
from tunegate.session.context import SessionContext
from tunegate.storage.state_dir import StateDir

if TYPE_CHECKING:
    from conftest import Project

SUITES = Path(__file__).parents[3] / "suites" / "model"
GOOD = 'def say(messages): return "ab"[int(messages[-1]["content"][-2:]) % 2]\n'
POOR = 'def say(messages): return "a"\n'
COMPARED = """
[compare.poor]
model = "python:poor:say"
[limits]
similarity = 1  # the rows of the toy data are near to each other
[limits.compare.poor]
difference = 0.2
"""
SCOPE = "4 of 6 test rows, drawn at random (--limit): never promotable"
NOISE = "each row asked 3 times at its own temperature"


@pytest.fixture
def asked(project: Project) -> Project:
    """A project with a model that is a function, another one to compare it with, and no run."""
    project.write("good.py", GOOD)
    project.write("poor.py", POOR)
    project.add("tunegate.toml", COMPARED)
    shutil.copy(SUITES / "conftest.py", project.root / "suites/model")
    (project.root / "suites/model/test_m.py").unlink()
    for name in ("compare", "repeats"):
        shutil.copy(SUITES / f"test_{name}.py", project.root / "suites/model")
    return project


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command in this process and return what it printed."""
    assert main([*words]) == 0
    return capsys.readouterr().out


def test_a_model_without_a_run_is_kept_with_all_that_was_asked(
    asked: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = asked.judge("--limit", "4", "--repeat", "3", model="python:good:say")
    assert result.code == 0, result.out
    assert f"asked: {SCOPE}; {NOISE}" in result.out  # at the head
    lines = " ".join(result.out.split())
    assert f"{SCOPE}; {NOISE} =" in lines  # under the scores
    gate = result.line("gate ")
    assert gate == f"open: all 3 tests of the suite passed; {SCOPE}; {NOISE}"
    assert lines.endswith(
        "kept: tunegate report python:good:say; without a run it is never promoted"
    )
    for row in (
        r"candidate +100.0%",
        r"poor +25.0%",
        r"accuracy of poor +\+75.0%",
        r"pass\^3 +100",
    ):
        assert re.search(row, result.out), result.out
    (path,) = (asked.root / ".tunegate/evaluations").glob("*/scorecards/*.json")
    card = json.loads(path.read_text())
    assert card["limit"] == {"rows": 4, "of": 6}
    assert card["repeat"] == {"times": 3, "temperature": None}
    assert (card["test"]["n"], card["predictions"]["n"]) == (6, 4)
    assert [t["name"] for t in card["tables"]] == [
        "models compared", "differences", "over 3 repetitions",
    ]  # fmt: skip
    assert models_judged(StateDir(asked.root), card["test"]["digest"]) == 1

    monkeypatch.chdir(asked.root)
    out = printed(capsys, "report", "python:good:say", "-o", "page.html")
    id_ = path.parents[1].name
    assert out.startswith(f"evaluation {id_}: Not promoted\n")
    page = unescape(re.sub(r"<[^>]+>", " ", (asked.root / "page.html").read_text()))
    page = " ".join(page[page.index("Evaluation") :].split())
    refused = "a model without a run is never promoted."
    for said in (refused, f": {SCOPE}; {NOISE}. Gate open", "accuracy of poor", "1 of 1 links",
                 "None: all 4 answers were right.", "This model belongs to no run"):  # fmt: skip
        assert said in page
    out = printed(capsys, "failures", "latest")
    assert out.startswith("0 of 4 rows were wrong in at least one of 3 answers")


def context(project: Project, spec: str) -> SessionContext:
    """Return what a session knows that scores a model."""
    session = SessionContext(project.root, project.root, PytestPluginManager(), print)  # type: ignore[arg-type]
    session.candidate = Candidate(spec, None) if spec else None
    return session


@pytest.mark.parametrize(("spec", "number"), [("python:good:say", 0), ("", 4), ("file:a", -1)])
def test_a_number_of_rows_that_cannot_be(asked: Project, spec: str, number: int) -> None:
    for option, numbers in (("--limit", (number, None)), ("--repeat", (None, number))):
        with pytest.raises(ConfigError, match=f"{option} {number}: needs a number from 1 on, and "):
            context(asked, spec).choose_rows(*numbers)


def test_a_file_of_answers_is_not_asked(asked: Project) -> None:
    asked.write("a.jsonl", '{"text": "a"}\n' * 6)
    session = context(asked, "file:a.jsonl")
    session.models.check()
    session = context(asked, "file:a.jsonl")
    session.choose_rows(None, 2)
    with pytest.raises(ConfigError, match="--limit and --repeat need a model that is asked"):
        session.models.check()


def test_a_compared_model_that_opens_nothing(asked: Project) -> None:
    asked.write("a.jsonl", '{"text": "a"}\n' * 6)
    asked.write("tunegate.toml", '[compare.poor]\nmodel = "file:b.jsonl"\n')
    with pytest.raises(
        ModelUnknown, match=r"compare\.poor: file:b\.jsonl: .*b\.jsonl is not a file"
    ):
        context(asked, "file:a.jsonl").models.check()


def test_a_run_is_compared_with_its_base_and_with_what_baseline_names(asked: Project) -> None:
    """`baseline` is heeded for a run too, as a model of `[compare]`."""
    asked.write("tunegate.toml", 'baseline = "python:poor:say"\n')
    session = context(asked, "python:good:say")
    assert session.models.spec("baseline") == session.models.spec("compare.baseline")
    plan = Plan("t", asked.root, None, None, {}, "file:base.jsonl", "", 0)
    run = SimpleNamespace(plan=plan)
    session = context(asked, "python:good:say")
    session.candidate = Candidate("python:good:say", run)  # type: ignore[arg-type]
    assert session.models.spec("baseline") == "file:base.jsonl"
    assert session.models.spec("compare.baseline") == "python:poor:say"


def test_a_spec_is_no_name_of_a_compared_model(asked: Project) -> None:
    asked.write("tunegate.toml", '[compare.poor]\nmodel = "python:poor:say"\n')
    models = context(asked, "python:good:say").models
    assert models.spec("compare.poor") == "python:poor:say"
    assert [models.spec(name) for name in ("poor", "run")] == ["folder:poor", "folder:run"]


def test_no_promotion_rests_on_some_of_the_rows(asked: Project) -> None:
    result = asked.judge("--limit", "4", "--promote", "p", model="python:good:say")
    assert result.code == 4
    assert "--promote rests on all test rows: leave --limit 4 out" in result.line("ERROR: ")
