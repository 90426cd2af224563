"""What the tests of the endpoints share: a server to be told, time that stands still."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunegate.interfaces.model import Answer, Model, Request
from tunegate_endpoints.model import Endpoint
from tunegate_endpoints.providers import Clock

Maker = Callable[..., Endpoint]

HERE = Path(__file__).parent
# Of a project whose models answer behind a server: its model suite, and its conftest.py.
SUITE = """
from tunegate.results.score import proportion

def test_accuracy(predictions, limits):
    right = sum(p.right for p in predictions)
    errors = len(predictions.errors)
    assert proportion("accuracy", right, len(predictions), errors=errors) >= limits.accuracy
"""
CONFTEST = """
import pytest, tunegate_endpoints
@pytest.hookimpl(optionalhook=True)
def pytest_tunegate_models(register): tunegate_endpoints.pytest_tunegate_models(register)
"""


class Told:
    """The server of one test: tell it what to do, ask it what it saw."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self._control = f"http://127.0.0.1:{port}/control"

    def __call__(self, **orders: Any) -> dict[str, Any]:
        """Give orders (see server.py); returns what it saw so far."""
        data = json.dumps(orders).encode()
        with urllib.request.urlopen(self._control, data, timeout=60) as reply:
            seen: dict[str, Any] = json.load(reply)
        return seen

    def does(self, *replies: dict[str, Any]) -> None:
        """Let the next requests meet these replies, one each."""
        self(script=list(replies))

    @property
    def seen(self) -> list[str]:
        """The prompts, as they came."""
        prompts: list[str] = self()["seen"]
        return prompts


@contextmanager
def serving() -> Iterator[Told]:
    """Run a server in a process of its own."""
    child = subprocess.Popen(
        [sys.executable, str(HERE / "server.py")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        yield Told(int(child.stdout.readline()))
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


@dataclass
class FakeTime:
    """A clock that stands still; to sleep moves it, and is written down."""

    at: float = 1000.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.at += seconds
        await asyncio.sleep(0)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.at, lambda: self.at, self.sleep, lambda: 1.0)


def asked(n: int, start: int = 0) -> list[Request]:
    """Return requests whose answers are their numbers."""
    return [
        Request(
            i, [{"role": "system", "content": "brief"}, {"role": "user", "content": f"say {i}"}]
        )
        for i in range(start, start + n)
    ]


def answers(model: Model, n: int) -> dict[int, Answer]:
    """Return the answers to so many requests, by row."""
    return {answer.row: answer for answer in model.answers(asked(n))}
