"""Predictions: each question is put once, whatever breaks in between, whoever asks beside."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from counting import Counting, dataset

from tunegate.interfaces.model import Answer, Request
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
