"""A program as a model: what it is asked, what it answers, and the digest it is known by."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tunegate.interfaces.model import ModelUnknown, Request
from tunegate_programs import ProgramModel, open_program

INFER = """\
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    text = request["messages"][-1]["content"]
    if text == "stop":
        sys.exit("out of words")
    answer = {"content": text.upper(), "latency": 0.5, "tokens": 3}
    if text == "call":
        answer = {"tool_calls": [{"name": request["tools"][0]["name"], "arguments": {"n": 1}}]}
    if text == "error":
        answer = {"error": "too long"}
    print(json.dumps({"row": request["row"], **answer}), flush=True)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "infer.py").write_text(INFER)
    (tmp_path / "tunegate.toml").write_text(
        f'[models.mine]\ncommand = ["{sys.executable}", "-S", "infer.py"]\n'
        '[models.bad]\ncommand = "infer.py"\ntimout = 3\n'
        '[models.empty]\nbase_url = "http://localhost:1/v1"\n'
    )
    return tmp_path


def asked(*texts: str) -> list[Request]:
    tools = [{"name": "count"}]
    return [
        Request(row, [{"role": "user", "content": text}], tools=tools)
        for row, text in enumerate(texts, start=5)
    ]


def test_answers_calls_and_errors(root: Path) -> None:
    text, call, error = open_program("mine", root).answers(asked("oi", "call", "error"))
    assert (text.row, text.text, text.latency, text.tokens) == (5, "OI", 0.5, 3)
    assert (call.row, list(call.tool_calls)) == (6, [{"name": "count", "arguments": {"n": 1}}])
    assert (error.row, error.error) == (7, "too long")


def test_answers_before_a_failure_stay(root: Path) -> None:
    first, *others = open_program("mine", root).answers(asked("oi", "stop", "oi"))
    assert first.text == "OI"
    assert [other.row for other in others] == [6, 7]
    assert all("ended with status 1: out of words" in other.error for other in others)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("print('{\"row\": 99, \"content\": \"x\"}')", "row 99 was not asked, or twice"),
        ("print('{\"row\": 5, \"content\": 3}')", "row 5: returned"),
        ("print('{\"row\": [0], \"content\": \"x\"}')", "row [0] was not asked, or twice"),
        ("print('{\"row\": 5.0, \"content\": \"x\"}')", "row 5.0 was not asked, or twice"),
        ("print('{\"row\": 5, \"content\": \"\", \"tokens\": \"a\"}')", "row 5: invalid literal"),
        ("", "did not answer this row"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_the_error_of_the_row(root: Path, text: str, told: str) -> None:
    (root / "infer.py").write_text(text)
    (answer,) = open_program("mine", root).answers(asked("oi"))
    assert told in answer.error


def test_its_digest_is_of_the_command_and_its_files(root: Path, tmp_path_factory: Any) -> None:
    digest = open_program("mine", root).digest
    moved = tmp_path_factory.mktemp("moved")
    for path in root.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    assert open_program("mine", moved).digest == digest
    (root / "infer.py").write_text(INFER + "# changed")
    assert open_program("mine", root).digest != digest


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("min", "no table [models.min] with a `command`, did you mean 'mine'?"),
        ("bad", "unknown key 'timout', did you mean 'timeout'?"),
        ("empty", "command is missing"),
    ],
)
def test_a_table_that_names_no_program(root: Path, name: str, told: str) -> None:
    with pytest.raises(ModelUnknown) as unknown:
        open_program(name, root)
    assert told in str(unknown.value)


def test_an_instance_is_named_after_its_table(root: Path) -> None:
    model = open_program("mine", root)
    assert isinstance(model, ProgramModel)
    assert model.name == "program:mine"
