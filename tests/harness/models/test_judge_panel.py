"""A judge in a model suite: asked once, advisory until it agrees with people, and what is said."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tunegate.config.schema import Config, Judge, load
from tunegate.errors import ConfigError
from tunegate.interfaces.installed import ModelOpener
from tunegate.interfaces.model import Answer, Budget, Request
from tunegate.models.predict import JudgePanel
from tunegate.session.open_models import SessionModels
from tunegate.storage.answer_cache import AnswerCache, delete_judge_answers
from tunegate.storage.state_dir import StateDir

if TYPE_CHECKING:
    from conftest import Project, Result

SUITE = Path(__file__).parents[3] / "suites" / "model" / "test_judge.py"

CLEAN = """\
import pytest

@pytest.fixture(scope="session")
def clean(predictions):
    return predictions
"""
JUDGES = """\
import json
from tunegate_checks.judge import prompt

def fair(messages):
    with open("asked.log", "a") as log:
        log.write("x\\n")
    data = prompt.read_quoted(messages[-1]["content"])[0]
    if "a" in data:
        better = "a" if data["a"] > data["b"] else "b"
        return json.dumps({"reason": "alphabet", "better": better})
    return json.dumps({"reason": "letter", "verdicts": {"letter": data["answer"] in "ab"}})

def garbled(messages):
    data = prompt.read_quoted(messages[-1]["content"])[0]
    return "hm" if data.get("question") == "question 30" else fair(messages)
"""
RUBRIC = """\
name = "letters"
instructions = "Judge whether the answer is one letter."
[[criteria]]
id = "letter"
question = "Is it a or b?"
"""


def table(model: str, more: str = "") -> str:
    return (
        f'[judge]\nmodels = "python:judges:{model}"\nrubric = "rubric.toml"\n{more}\n'
        "[limits]\njudge = 0.9\n"
    )


def people(n: int = 40) -> str:
    graded = [
        {
            "prompt": f"p{i}",
            "answer": "ab?!"[i % 4] + str(i) * (i > 3),
            "verdicts": {"letter": False},
        }
        for i in range(n)
    ]
    for row in graded:
        row["verdicts"] = {"letter": row["answer"] in ("a", "b")}
    one = [
        {"prompt": f"p{i}", "answer": "b", "other": "a", "better": "answer"} for i in range(n // 2)
    ]
    two = [
        {"prompt": f"q{i}", "answer": "a", "other": "b", "better": "other"} for i in range(n // 2)
    ]
    return "".join(json.dumps(row) + "\n" for row in [*graded, *one, *two])


@pytest.fixture
def judging(project: Project) -> Project:
    """A project whose model suite is the judge's alone; the candidate answers "a" and "c"."""
    (project.root / "suites/model/test_m.py").unlink()
    shutil.copy(SUITE, project.root / "suites/model/test_judge.py")
    project.write("suites/model/conftest.py", CLEAN)
    project.write("judges.py", JUDGES)
    project.write("rubric.toml", RUBRIC)
    project.write("labels.jsonl", people())
    project.write(
        "answers.jsonl", "".join(json.dumps({"text": "aaaaac"[i]}) + "\n" for i in range(6))
    )
    before = (project.root / "tunegate.toml").read_text()
    project.write("tunegate.toml", 'baseline = "toy:base"\n' + before)
    return project


def judged(project: Project, *args: str) -> Result:
    return project.judge("-q", *args, model="file:answers.jsonl")


def asked(project: Project) -> int:
    log = project.root / "asked.log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_without_a_judge_nothing_is_asked_and_the_suite_passes(judging: Project) -> None:
    result = judged(judging)
    assert result.code == 0, result.out
    assert "judge (" not in result.out
    assert not list((judging.root / ".tunegate").glob("judge/*"))


def test_without_human_labels_it_is_advisory_and_says_so(judging: Project) -> None:
    judging.add("tunegate.toml", table("fair"))
    result = judged(judging)
    assert result.code == 0, result.out  # 83 % of replies pass, 90 % are wanted
    line = result.line("judge (letters), advisory  ")
    assert line.startswith("83.3%")
    assert "none set" in line
    assert "judge (letters), advisory: gates nothing: no human labels" in result.out
    assert asked(judging) == 6 + 2 * 6


def test_with_them_it_gates(judging: Project) -> None:
    judging.add("tunegate.toml", table("fair", 'labels = "labels.jsonl"'))
    result = judged(judging)
    assert result.code == 1, result.out
    assert "assert judge (letters) 83.3% >= 90%" in result.out
    signature = "signature kappa 1.00 (1.00 to 1.00) with 40 human labels|"
    assert signature in re.sub(r"\nE +", " ", result.out)
    assert "not letter" in result.out
    assert "gates nothing" not in result.out


@pytest.mark.slow
def test_workers_ask_once(judging: Project) -> None:
    judging.add("tunegate.toml", table("fair", 'labels = "labels.jsonl"'))
    judged(judging, "-n", "2")
    # 6 replies, 40 labels, both orders of 6 pairs and of 40 labelled ones.
    assert asked(judging) == 6 + 40 + 12 + 80


def test_what_cannot_be_parsed_is_unmeasurable(judging: Project) -> None:
    judging.add("tunegate.toml", table("garbled", 'labels = "labels.jsonl"').replace("0.9", "0.8"))
    result = judged(judging)
    assert result.code == 75
    assert "judge (letters) >= 80% is unmeasurable" in result.out
    assert "judge: unparseable answer after one repair: not JSON" in " ".join(result.out.split())


PAID = """
import dataclasses
from tunegate.interfaces.model import Answer, ModelUnknown

@dataclasses.dataclass
class Paid:
    budget: object = None
    name = "paid"
    digest = "e" * 64

    def with_budget(self, budget):
        return Paid(budget)

    def answers(self, requests):
        import judges
        for r in requests:
            if self.budget.reserve(0.01):
                self.budget.charge(0.01, 0.01)
                yield Answer(r.row, judges.fair(r.messages), cost=0.01)
            else:
                yield Answer(r.row, error=self.budget.mark_exhausted())

class Absent(Paid):
    def answers(self, requests):
        raise ModelUnknown("no server at localhost")
        yield

@pytest.hookimpl(optionalhook=True)
def pytest_tunegate_models(register):
    register("toy", ToyModel)
    register("paid", lambda rest, root: Paid())
    register("absent", lambda rest, root: Absent())
"""


@pytest.mark.slow
def test_the_judge_spends_from_the_sessions_budget(judging: Project) -> None:
    judging.add("conftest.py", PAID)
    judging.add("tunegate.toml", table("x").replace("python:judges:x", "paid:x"))
    result = judged(judging, "--max-requests", "4")
    assert asked(judging) == 4
    assert "4 of 4 requests, $0.0400" in result.out
    assert result.code == 0  # advisory: it gates nothing, measured or not
    judged(judging)
    assert asked(judging) == 18  # what came is kept: each is asked once


@pytest.mark.slow
def test_a_judge_that_is_not_there_is_an_error_of_its_answers(judging: Project) -> None:
    judging.add("conftest.py", PAID.replace("return Paid(budget)", "return type(self)(budget)"))
    judging.add("tunegate.toml", table("x", 'labels = "labels.jsonl"').replace("python", "absent"))
    result = judged(judging, "-k", "not prefers")
    told = "gates nothing: none of 40 human labels could be judged: judge: no server at localhost"
    assert told in " ".join(result.out.split())


class Echo:
    """A model that answers with what follows its scheme."""

    digest = "e" * 64

    def __init__(self, rest: str, root: Path) -> None:
        self.name = rest

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for request in requests:
            yield Answer(request.row, self.name)


def test_judges_are_opened_without_a_session(tmp_path: Path) -> None:
    state, settings = StateDir(tmp_path), Judge(models=("echo:yes",), rubric="rubric.toml")
    openers: dict[str, ModelOpener] = {"echo": Echo}

    def opened(judge: Judge) -> JudgePanel | None:
        models = SessionModels(
            tmp_path, Config(judge=judge), None, "production", openers, Budget(), state,
            lambda what: nullcontext(lambda *_: None),
        )  # fmt: skip
        return models.judges()

    assert opened(Judge()) is None
    panel = opened(settings)
    assert panel is not None
    assert panel.rubric == tmp_path / "rubric.toml"
    (judge,) = panel.judges
    answers = judge.ask([Request(3, [{"role": "user", "content": "?"}])])
    assert {row: answer.text for row, answer in answers.items()} == {3: "yes"}
    assert delete_judge_answers(state) == 1  # it is on record that this judge was asked


def test_what_judges_answered_can_be_forgotten(tmp_path: Path) -> None:
    state, request = StateDir(tmp_path), Request(0, [{"role": "user", "content": "?"}])
    answers = AnswerCache(state.path("answers.sqlite"))
    for model in ("judge", "candidate"):
        answers.put(model, request, Answer(0, f"what the {model} said"))
    answers.close()
    assert delete_judge_answers(state) == 0
    state.path("judge", "asked-judge").touch()
    assert delete_judge_answers(state) == 1
    left = b"".join(p.read_bytes() for p in state.folder.rglob("*") if p.is_file())
    assert b"the judge said" not in left
    assert b"the candidate said" in left


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        pytest.param(
            "python:judges:fair", "nosuch:x", "no model 'nosuch:x'; valid: ", marks=pytest.mark.slow
        ),
        ("rubric.toml", "nowhere.toml", "nowhere.toml cannot be read: No such file"),
    ],
)
def test_what_cannot_be_opened_is_told(right: str, wrong: str, told: str, judging: Project) -> None:
    judging.add("tunegate.toml", table("fair").replace(right, wrong))
    result = judged(judging)
    assert result.code == 1
    assert told in " ".join(result.out.split())
    assert "raise " not in result.out  # no frame of ours


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('models = "x:y"', "rubric is missing: the path of a TOML file"),
        ('models = ["x:y", "x:y"]\nrubric = "r"', "a model stands twice in models"),
        ("repetitions = 0", "judge.repetitions = 0: "),
        ("kappa = 0", "judge.kappa = 0: "),
        ("fewest_labels = 3", "judge.fewest_labels = 3: "),
        ("modls = 1", "unknown key 'judge.modls', did you mean 'models'?"),
    ],
)
def test_a_mistake_in_the_table_is_told(table: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "tunegate.toml").write_text(f"[judge]\n{table}\n")
    with pytest.raises(ConfigError) as error:
        load(tmp_path)
    assert told in str(error.value)


def test_one_model_or_several(tmp_path: Path) -> None:
    for said in ('"x:y"', '["x:y"]'):
        (tmp_path / "tunegate.toml").write_text(f'[judge]\nmodels = {said}\nrubric = "r"\n')
        assert load(tmp_path).judge.models == ("x:y",)
