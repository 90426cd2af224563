"""The cache of answers: by model and prompt, errors never kept, private, forgettable."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunegate.answers import Answers
from tunegate.protocols import Answer, Request


def ask(row: int, text: str, system: str = "") -> Request:
    told = [{"role": "system", "content": system}] if system else []
    return Request(row, [*told, {"role": "user", "content": text}])


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Answers]:
    answers = Answers(tmp_path / "answers.sqlite")
    yield answers
    answers.close()


def test_an_answer_comes_back_whole(cache: Answers) -> None:
    answer = Answer(3, "línea 1\nlínea 2", latency=0.25, tokens=7, cost=0.001)
    cache.put("model", ask(3, "hello"), answer)
    assert cache.get("model", [ask(3, "hello"), ask(4, "other")]) == {3: answer}


def test_rows_are_the_askers(cache: Answers) -> None:
    """The prompt is the key: a test set in another order asks nothing again."""
    cache.put("model", ask(3, "hello"), Answer(3, "hi"))
    assert cache.get("model", [ask(0, "hello"), ask(9, "hello")]) == {
        0: Answer(0, "hi"),
        9: Answer(9, "hi"),
    }


@pytest.mark.parametrize(
    ("model", "request_"),
    [("other", ask(0, "hello")), ("model", ask(0, "hello", "be kind")), ("model", ask(0, "Hello"))],
)
def test_anything_else_is_another_question(cache: Answers, model: str, request_: Request) -> None:
    cache.put("model", ask(0, "hello"), Answer(0, "hi"))
    assert cache.get(model, [request_]) == {}


def test_errors_are_never_kept(cache: Answers) -> None:
    cache.put("model", ask(0, "hello"), Answer(0, "half an ans", error="timeout"))
    assert cache.get("model", [ask(0, "hello")]) == {}


def test_an_error_does_not_take_an_answer_away(cache: Answers) -> None:
    cache.put("model", ask(0, "hello"), Answer(0, "hi"))
    cache.put("model", ask(0, "hello"), Answer(0, error="429"))
    assert cache.get("model", [ask(0, "hello")])[0].text == "hi"


def test_what_a_person_said_can_be_forgotten(cache: Answers) -> None:
    for model in ("one", "other"):
        cache.put(model, ask(0, "my name is Ana"), Answer(0, "hi"))
        cache.put(model, ask(1, "hello"), Answer(1, "hi"))
    assert cache.forget([ask(0, "my name is Ana").messages]) == 2
    assert set(cache.get("one", [ask(0, "my name is Ana"), ask(1, "hello")])) == {1}


def test_it_is_on_the_disk_at_once_and_private(tmp_path: Path, cache: Answers) -> None:
    cache.put("model", ask(0, "hello"), Answer(0, "hi"))
    other = Answers(tmp_path / "answers.sqlite")
    assert other.get("model", [ask(0, "hello")])
    other.close()
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name
