"""From an event loop to an iterator: as it comes, errors too, and gone when closed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from tunegate_endpoints.model import iterate_async


async def three(emit: Callable[[int], None]) -> None:
    for i in range(3):
        await asyncio.sleep(0)
        emit(i)


def test_values_come() -> None:
    assert list(iterate_async(three)) == [0, 1, 2]


def test_where_a_loop_runs_already() -> None:
    async def caller() -> list[int]:
        return list(iterate_async(three))

    assert asyncio.run(caller()) == [0, 1, 2]


def test_as_they_come() -> None:
    """The second is made only after the first was read."""
    read = threading.Event()

    async def work(emit: Callable[[int], None]) -> None:
        emit(1)
        await asyncio.to_thread(read.wait)
        emit(2)

    stream = iterate_async(work)
    assert next(stream) == 1
    read.set()
    assert list(stream) == [2]


def test_what_is_raised_is_raised() -> None:
    async def work(emit: Callable[[int], None]) -> None:
        emit(1)
        raise ValueError("after one")

    stream = iterate_async(work)
    assert next(stream) == 1
    with pytest.raises(ValueError, match="after one"):
        next(stream)


def test_closing_cancels() -> None:
    ended = []

    async def work(emit: Callable[[int], None]) -> None:
        emit(1)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    stream = iterate_async(work)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert ended == [True]
    assert "endpoint" not in {thread.name for thread in threading.enumerate()}
