"""Predictions: each question is put once, whatever breaks in between, whoever asks beside."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from counting import Counting, dataset

from tunegate import Dataset
from tunegate.data.canonical import request_digest
from tunegate.interfaces.builtin_models import FileModel
from tunegate.interfaces.model import Answer, ModelUnknown, Request
from tunegate.models.predict import cached_predictions, predict, request_of
from tunegate.storage.state_dir import StateDir


def test_the_reply_is_not_told() -> None:
    asked = request_of(dataset(1)[0])
    assert [m["role"] for m in asked.messages] == ["system", "user"]


def test_in_the_order_of_the_test_set(tmp_path: Path) -> None:
    test = dataset(5)
    predictions = predict(Counting(), test, StateDir(tmp_path))
    assert [p.row for p in predictions] == [0, 1, 2, 3, 4]
    assert all(p.right for p in predictions)
    assert (predictions.model, predictions.test) == ("counting", test.digest)
    assert (predictions[3].line, predictions[3].latency) == (4, 0.5)


def test_asked_once(tmp_path: Path) -> None:
    model, state = Counting(), StateDir(tmp_path)
    first = predict(model, dataset(4), state)
    assert list(predict(model, dataset(4), state)) == list(first)
    predict(model, dataset(6), state)
    assert sorted(model.asked) == [0, 1, 2, 3, 4, 5]


def test_errors_are_asked_again(tmp_path: Path) -> None:
    state, moves = StateDir(tmp_path), []
    first = predict(Counting(1, 2), dataset(4), state, lambda *move: moves.append(move))
    assert [p.error for p in first] == ["", "timeout", "timeout", ""]
    assert moves[-1] == (4, 4, 2)
    model = Counting()
    assert predict(model, dataset(4), state).errors == []
    assert sorted(model.asked) == [1, 2]


def test_a_model_that_leaves_one_out(tmp_path: Path) -> None:
    class Silent(Counting):
        def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
            yield from super().answers(requests[1:])

    (first, second) = predict(Silent(), dataset(2), StateDir(tmp_path))
    assert (first.error, second.error) == ("the model gave no answer", "")


def test_recalling_asks_nothing(tmp_path: Path) -> None:
    model, state = Counting(1), StateDir(tmp_path)
    assert cached_predictions(model.name, model.digest, dataset(3), state) is None
    predict(model, dataset(3), state)
    asked = list(model.asked)
    recalled = cached_predictions(model.name, model.digest, dataset(3), state)
    assert recalled is not None
    assert [bool(p.error) for p in recalled] == [False, True, False]
    assert model.asked == asked


def test_interrupted_the_model_is_closed_at_once_and_what_came_is_kept(tmp_path: Path) -> None:
    closed = []

    class Open(Counting):
        def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
            try:
                yield from super().answers(requests)
            finally:
                closed.append(len(self.asked))

    def interrupt(done: int, *_: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(Open(), dataset(5), StateDir(tmp_path), interrupt)
    assert closed == [2]
    model = Counting()
    predict(model, dataset(5), StateDir(tmp_path))
    assert sorted(model.asked) == [0, 1, 2]


def row(prompt: str, reply: Any = "x", **fields: Any) -> dict[str, Any]:
    last = reply if isinstance(reply, dict) else {"role": "assistant", "content": reply}
    return {"messages": [{"role": "user", "content": prompt}, last], **fields}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": "1", "type": "function", "function": function}


TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
CALLING = {"role": "assistant", "content": None, "tool_calls": [call("weather", city="Porto")]}


def test_the_same_question_is_asked_once(tmp_path: Path) -> None:
    model, state = Counting(), StateDir(tmp_path)
    test = Dataset.of([row("same", "a"), row("same", "b"), row("other", "a")])
    first = [p.got for p in predict(model, test, state)]
    assert sorted(model.asked) == [0, 2]
    assert [p.got for p in predict(Counting(), test, state)] == first == ["a", "a", "a"]


def test_tools_are_asked_with_and_calls_are_kept(tmp_path: Path) -> None:
    class Calling(Counting):
        def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
            for request in requests:
                self.asked.append(request.row)
                assert request.tools == TOOLS
                calls = [{"name": "weather", "arguments": {"city": "Porto"}}]
                yield Answer(request.row, tool_calls=calls, reasoning="hm", served_by="m1")

    test = Dataset.of([row("warm?", CALLING, tools=TOOLS)])
    for model in (Calling(), Calling()):
        (p,) = predict(model, test, StateDir(tmp_path))
        assert (
            p.calls == p.expected_calls == '[{"arguments": {"city": "Porto"}, "name": "weather"}]'
        )
        assert (p.reasoning, p.right, len(p.request)) == ("hm", True, 64)
    assert model.asked == []  # the second one


def test_what_is_older_than_wanted_is_asked_again(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    predict(Counting(), dataset(2), state)
    state.answers_since = time.time()
    assert cached_predictions("counting", Counting.digest, dataset(2), state) is None
    for asked in ([1, 0], []):  # what was asked since is used
        model = Counting()
        assert all(p.asked_at >= state.answers_since for p in predict(model, dataset(2), state))
        assert model.asked == asked


def test_another_model_behind_the_name_is_asked_everything(tmp_path: Path) -> None:
    class Served(Counting):
        served = "m1"

        def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
            for answer in super().answers(requests):
                yield Answer(answer.row, self.served, served_by=self.served)

    state = StateDir(tmp_path)
    predict(Served(), dataset(2), state)
    same = Served()
    predict(same, dataset(3), state)
    assert same.asked == [2]
    other = Served()
    other.served = "m2"
    assert [p.got for p in predict(other, dataset(4), state)] == ["m2"] * 4
    assert sorted(other.asked) == [0, 1, 2, 3]


def test_reasoning_is_no_answer(tmp_path: Path) -> None:
    class Thinking(Counting):
        def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
            for request in requests:
                yield Answer(request.row, "<think>\nhm\n</think>\n\na")

    test = Dataset.of([row("q", "<think>so</think>a")])
    (p,) = predict(Thinking(), test, StateDir(tmp_path))
    assert (p.got, p.expected, p.reasoning, p.right) == ("a", "a", "hm", True)


def answers_file(path: Path, *lines: dict[str, Any]) -> FileModel:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return FileModel(path.name, path.parent)


def test_a_file_answers_by_order_and_is_not_cached(tmp_path: Path) -> None:
    """Two rows that ask the same have their own lines, each time."""
    state, test = StateDir(tmp_path), Dataset.of([row("same", "a"), row("same", "b")])
    model = answers_file(tmp_path / "a.jsonl", {"text": "a"}, {"text": "b"})
    for _ in range(2):
        assert [p.right for p in predict(model, test, state)] == [True, True]
    assert not (tmp_path / ".tunegate" / "answers.sqlite").exists()


@pytest.mark.parametrize("n", [1, 3])
def test_a_file_of_another_length_is_refused(tmp_path: Path, n: int) -> None:
    model = answers_file(tmp_path / "a.jsonl", *[{"text": "a"}] * n)
    with pytest.raises(ModelUnknown, match=rf"a.jsonl: {n} answers to 2 rows; give each one"):
        predict(model, dataset(2), StateDir(tmp_path))


def test_a_file_is_matched_by_what_its_lines_answer(tmp_path: Path) -> None:
    state, test = StateDir(tmp_path), dataset(4)
    named = [
        {"prompt": example.prompt, "request": request_digest(request_of(example).messages)}
        for example in test
    ]
    for key in ("prompt", "request"):  # in any order
        lines = [{"text": f"{i}", key: named[i][key]} for i in (2, 0, 1, 3)]
        model = answers_file(tmp_path / "a.jsonl", *lines)
        assert [p.got for p in predict(model, test, state)] == ["0", "1", "2", "3"]
        drawn = Dataset([test[3], test[1]])
        assert [p.got for p in predict(model, drawn, state)] == ["3", "1"]
        model = answers_file(tmp_path / "a.jsonl", *[*lines[1:], lines[1]])  # shifted
        with pytest.raises(ModelUnknown, match=r"no line answers row 3 \([0-9a-f]{64}\)"):
            predict(model, test, state)


def test_rows_that_were_drawn_are_answered_by_their_places(tmp_path: Path) -> None:
    test = dataset(4)
    model = answers_file(tmp_path / "a.jsonl", *[{"text": f"{i}"} for i in range(4)])
    predictions = predict(model, Dataset([test[3], test[1]]), StateDir(tmp_path))
    assert [p.got for p in predictions] == ["3", "1"]


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from counting import Counting, dataset
from tunegate.models.predict import predict
from tunegate.storage.state_dir import StateDir

class Logging(Counting):
    def answers(self, requests):
        for answer in super().answers(requests):
            with open(sys.argv[1] + "/asked", "a") as log:
                log.write(f"{answer.row}\\n")
            yield answer
            if answer.row == int(sys.argv[3]):
                os.kill(os.getpid(), signal.SIGKILL)

predict(Logging(), dataset(6), StateDir(Path(sys.argv[1])))
"""


def child(root: Path, die_after: int = -1) -> subprocess.Popen[bytes]:
    support = str(Path(__file__).parents[2] / "support")
    return subprocess.Popen([sys.executable, "-c", CHILD, str(root), support, str(die_after)])


def asked(root: Path) -> list[int]:
    return [int(line) for line in (root / "asked").read_text().split()]


def test_killed_in_the_middle_it_keeps_what_was_answered(tmp_path: Path) -> None:
    assert child(tmp_path, die_after=3).wait() == -signal.SIGKILL
    assert asked(tmp_path) == [5, 4, 3]
    assert child(tmp_path).wait() == 0
    assert asked(tmp_path) == [5, 4, 3, 2, 1, 0]


def test_two_processes_at_once_ask_once(tmp_path: Path) -> None:
    children = [child(tmp_path), child(tmp_path)]
    assert [c.wait() for c in children] == [0, 0]
    assert sorted(asked(tmp_path)) == [0, 1, 2, 3, 4, 5]
