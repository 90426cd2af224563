"""What a suite's own rows meet: the fixtures `ask_model`, `loss_curves` and `general_set`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tunegate import Dataset
from tunegate.session.open_models import SessionModels

if TYPE_CHECKING:
    from conftest import Project

SUITES = Path(__file__).parents[3] / "suites" / "model"

ASKING = """\
from tunegate import Dataset

def test_asked(ask_model, test, predictions):
    got = [p.got for p in ask_model(test)]
    assert got == [p.got for p in predictions] == list("ababab")
    assert {p.got for p in ask_model(test, "baseline")} == {"?"}
    assert not len(ask_model(Dataset([]), "baseline"))
"""


def test_rows_of_ones_own_are_put_to_candidate_and_baseline(trained: Project) -> None:
    trained.write("suites/model/test_m.py", ASKING)
    result = trained.judge()
    assert result.code == 0, result.out


def test_a_file_of_answers_cannot_be_asked_anything_new(trained: Project) -> None:
    trained.write("answers.jsonl", '{"text": "a"}\n' * 6)
    trained.write(
        "suites/model/test_m.py",
        "def test_it(ask_model, test, predictions):\n"
        "    assert len(predictions) == 6 + len(ask_model(test))\n",
    )
    assert trained.judge(model="file:answers.jsonl").code == 0


COUNTED = """\
from pathlib import Path
def reply(messages):
    with open(Path(__file__).with_name("asked"), "a") as log:
        log.write("x")
    return "a"
"""


def test_fresh_answers_are_asked_once_and_then_known_by_their_age(project: Project) -> None:
    """Each worker of xdist has the same moment: the first one asks, the other finds the answers."""
    project.write("counted.py", COUNTED)
    project.write(
        "suites/model/test_m.py",
        "import pytest\n"
        "@pytest.mark.parametrize('i', range(4))\n"
        "def test_it(predictions, i): assert len(predictions) == 6\n",
    )
    first = project.judge("--fresh", "-n", "2", model="python:counted:reply")
    assert first.code == 0, first.out
    assert "\ncached " not in first.out
    again = project.judge("--max-answer-age", "1h", model="python:counted:reply")
    assert "\ncached    6 of 6 of the candidate, age 0:0" in again.out
    assert (project.root / "asked").read_text() == "x" * 6


def test_without_a_candidate_it_says_what_to_give(trained: Project) -> None:
    trained.write("suites/model/test_m.py", "def test_it(ask_model, test): ask_model(test)\n")
    result = trained.pytest("suites/model")
    assert "no candidate: give --model latest" in result.out
    assert "Traceback" not in result.out


def test_the_curves_are_those_of_the_run(trained: Project) -> None:
    lines = '{"step": 1, "train_loss": 2.0}\n{"step": 2, "validation_loss": 1.5}\n{"step": 3, "tra'
    (trained.run / "curves.jsonl").write_text(lines)
    trained.write(
        "suites/model/test_m.py",
        "def test_it(loss_curves, test, predictions):\n"
        '    assert [c["step"] for c in loss_curves] == [1, 2]\n',
    )
    result = trained.judge()
    assert result.code == 0, result.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "general.jsonl: No such file or directory"),
        ('{"messages": 3}\n', "general.jsonl, line 1: messages is a number"),
    ],
)
def test_a_general_set_that_cannot_be_read(trained: Project, text: str | None, said: str) -> None:
    trained.add("tunegate.toml", 'general = "general.jsonl"\n')
    if text:
        trained.write("general.jsonl", text)
    trained.write("suites/model/test_m.py", "def test_it(general_set): pass\n")
    result = trained.judge()
    assert result.code == 1
    assert said in " ".join(result.out.split())


@pytest.fixture
def shipped(trained: Project) -> Project:
    """The trained project with the suites as `tunegate init` copies them."""
    for name in ("speed", "robustness", "overfitting", "memory", "template"):
        shutil.copy(SUITES / f"test_{name}.py", trained.root / "suites/model")
    return trained


def test_the_suites_pass_where_there_is_nothing_to_judge(shipped: Project) -> None:
    quiet = shipped.judge()
    assert quiet.code == 0, quiet.out
    assert "nothing to judge: 8 tests of memory, overfitting, " in quiet.out, quiet.out
    result = shipped.judge("-rs", "-v")
    assert result.code == 0, result.out
    for hint in (
        "overfitting: the candidate belongs to no run, or its trainer wrote no",
        "memory.cut_off: nobody said how the answers ended",
        "latency p95 (s): no latency was recorded",
    ):
        assert hint in result.out.replace("\n  ", " ")


def test_limits_that_are_set_close_the_gate(
    shipped: Project, example_row: Callable[[str, str], str]
) -> None:
    known = "".join(example_row(f"{i} + 1?", "?") for i in range(60))
    shipped.write("general.jsonl", known)
    config = shipped.root / "tunegate.toml"
    text = config.read_text().replace("[data]\n", '[data]\ngeneral = "general.jsonl"\n')
    config.write_text(f"{text}[limits]\nflips = 0.05\nlatency_p95 = 1.0\n")
    readings = [{"step": step, "validation_loss": loss} for step, loss in ((1, 0.5), (2, 0.9))]
    (shipped.run / "curves.jsonl").write_text("\n".join(map(json.dumps, readings)))
    result = shipped.judge()
    assert result.code == 1
    for said in (
        "early stop  validation loss 0.5 after epoch 1, 0.9 at the end, 80 %",
        "assert general accuracy kept lower bound -1.0000 >= -0.05",
        "latency p95 (s) could not be measured",
        "flip rate",
    ):
        assert said in result.out, result.out


@pytest.mark.parametrize(
    ("run", "compared", "known"),
    [
        (None, {}, False),
        (None, {"small": "python:a:b"}, False),
        (None, {"baseline": "python:a:b"}, True),
        ("a run, which has a base", {}, True),
    ],
)
def test_without_a_run_only_the_configuration_names_a_baseline(
    run: str | None, compared: dict[str, str], known: bool
) -> None:
    parts: Any = SimpleNamespace(compared=compared), SimpleNamespace(run=run)
    rest: Any = ("production", {}, None, None, None)
    models = SessionModels(Path(), *parts, *rest)
    assert models.has_baseline is known
    if not known:
        assert len(models.ask(Dataset.of([{"prompt": "a", "completion": "b"}]), "baseline")) == 0
