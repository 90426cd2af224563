"""The window: doubles until the first push, then creeps, and halves once for each round."""

from __future__ import annotations

import asyncio

import pytest
from endpoint_parts import FakeTime
from hypothesis import given
from hypothesis import strategies as st

from tunegate_endpoints.dispatch import INITIAL_IN_FLIGHT, AdaptiveLimit


def run_round(pace: AdaptiveLimit, *, pushed: bool = False) -> None:
    """Fill the window and empty it again."""

    async def fill() -> None:
        entered = [await pace.enter() for _ in range(int(pace.window))]
        for turn in entered:
            pace.leave(turn, overloaded=pushed, good=not pushed)

    asyncio.run(fill())


def test_it_doubles_up_to_the_bound(time: FakeTime) -> None:
    pace, windows = AdaptiveLimit(100, time.clock), []
    for _ in range(5):
        windows.append(pace.window)
        run_round(pace)
    assert windows == [INITIAL_IN_FLIGHT, 40, 80, 100, 100]


def test_a_round_of_pushes_halves_it_once(time: FakeTime) -> None:
    pace = AdaptiveLimit(100, time.clock)
    run_round(pace, pushed=True)
    assert pace.window == 10
    run_round(pace)
    assert 10.9 < pace.window < 11.1  # one a round trip from here on
    for _ in range(9):
        run_round(pace, pushed=True)
    assert pace.window == 1


def test_a_pause_holds_for_all(time: FakeTime) -> None:
    pace = AdaptiveLimit(2, time.clock)
    pace.pause(30)
    pace.pause(10)
    run_round(pace)
    assert time.slept == [30]


@given(st.lists(st.sampled_from(["enter", "good", "bad", "pushed"])), st.integers(1, 30))
def test_never_more_than_the_window_and_nobody_is_forgotten(moves: list[str], most: int) -> None:
    async def play() -> None:
        pace = AdaptiveLimit(most, FakeTime().clock)
        entered: list[int] = []

        async def enter() -> None:
            entered.append(await pace.enter())

        tasks = []
        for move in moves:
            if move == "enter":
                tasks.append(asyncio.create_task(enter()))
            elif entered:
                pace.leave(entered.pop(), overloaded=move == "pushed", good=move == "good")
            for _ in range(3):
                await asyncio.sleep(0)
            assert pace.in_flight == len(entered)
            assert 1 <= pace.window <= most
            assert pace.in_flight <= most
        while entered:
            pace.leave(entered.pop())
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            while not all(task.done() for task in tasks):
                await asyncio.sleep(0)
                while entered:
                    pace.leave(entered.pop())

    asyncio.run(play())


@pytest.mark.parametrize("most", [1, 3])
def test_it_starts_within_the_bound(time: FakeTime, most: int) -> None:
    assert AdaptiveLimit(most, time.clock).window == most
