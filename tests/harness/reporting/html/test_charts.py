"""Axes and curves: laws of the geometry, whatever the values are."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.reporting.html.charts import (
    MAX_POINTS,
    Axis,
    axis_ends,
    linear_axis,
    loss_chart,
    round_ticks,
    score_bar,
    thin_out,
)

VALUES = st.floats(-1e9, 1e9, allow_nan=False).map(lambda v: 0.0 if abs(v) < 1e-9 else v)
LOSSES = st.floats(1e-6, 1e3)
READINGS = st.lists(st.tuples(st.integers(0, 10**6), LOSSES), min_size=2, max_size=50)


@given(st.tuples(VALUES, VALUES).map(sorted), st.integers(1, 10))
def test_ticks_are_round_ascend_evenly_and_hold_all(ends: list[float], about: int) -> None:
    low, high = ends
    found = round_ticks(low, high, about)
    little = 1e-12 * max(abs(low), abs(high))  # the last bit of a division
    assert found[0] - little <= low <= high <= found[-1] + little
    assert 2 <= len(found) <= about + 3
    steps = [b - a for a, b in pairwise(found)]
    assert min(steps) > 0
    assert max(steps) == pytest.approx(min(steps), rel=1e-6)
    digits = f"{steps[0]:.0e}".partition("e")[0]
    assert digits in ("1", "2", "5")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.5, 1]),
        (0.93, 0.99, [0.92, 0.94, 0.96, 0.98, 1.0]),
        (-0.1, 0.25, [-0.1, 0.0, 0.1, 0.2, 0.3]),
        (5, 5, [4.5, 5.0, 5.5]),
        (0, 5e-324, [-0.1, -0.05, 0.0, 0.05, 0.1]),
    ],
)
def test_ticks_as_a_person_would_choose_them(
    low: float, high: float, expected: list[float]
) -> None:
    assert round_ticks(low, high) == expected


@pytest.mark.parametrize("ends", [(1, 0), (math.nan, 1), (0, math.inf)])
def test_no_axis_through_nowhere(ends: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="no axis from"):
        round_ticks(*ends)


@given(st.lists(LOSSES, min_size=1))
def test_an_axis_keeps_order_and_stays_inside(values: list[float]) -> None:
    axis = linear_axis(min(values), max(values), 10, 90)
    places = [axis.position(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(10 - 1e-9 <= place <= 90 + 1e-9 for place in places)


def test_what_is_outside_stands_at_the_end() -> None:
    axis = Axis((0.0, 1.0), 0, 100)
    assert [axis.position(v) for v in (-3, 0.25, 7)] == [0, 25, 100]


@given(READINGS, READINGS, st.sampled_from([360, 1040]))
def test_every_point_of_a_curve_is_in_its_box(
    train: list[tuple[int, float]], held_out: list[tuple[int, float]], width: int
) -> None:
    readings = [{"step": s, "train_loss": v} for s, v in sorted(train)]
    beyond = [{"step": s, "validation_loss": v} for s, v in sorted(held_out)]
    chart = loss_chart(readings, beyond, 3, width)
    assert chart is not None
    left, top, right, bottom = chart.box
    for line in chart.lines:
        assert all(left <= x <= right and top <= y <= bottom for x, y in line.points)
        assert [x for x, _ in line.points] == sorted(x for x, _ in line.points)
    assert [line.after_kept for line in chart.lines] == [False, True]


def test_what_cannot_be_drawn_is_left_out() -> None:
    nothing = [{"step": 1, "train_loss": math.nan}, {"epoch": 1.0}, {"step": 2, "train_loss": 1.0}]
    assert loss_chart(nothing, [], None, 360) is None
    assert loss_chart([], [], None, 360) is None


@given(st.integers(1, 5 * MAX_POINTS))
def test_a_long_curve_is_thinned_and_keeps_its_mean(n: int) -> None:
    points = [(float(i), float(i % 7)) for i in range(n)]
    found = thin_out(points)
    assert len(found) <= MAX_POINTS
    assert found == sorted(found)
    if n <= MAX_POINTS:
        assert found == points


NOTE = {"name": "x", "value": 0.9, "low": 0.8, "high": 0.95, "hits": 9, "sign": ">=", "limit": 0.85}


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.sampled_from([">=", ">", "<=", "<"]))
def test_a_bar_shades_the_side_that_does_not_hold(values: list[float], sign: str) -> None:
    low, value, high = sorted(values[:3])
    note = NOTE | {"low": low, "value": value, "high": high, "limit": values[3], "sign": sign}
    drawn = score_bar(note, "told", axis_ends([note], is_share=True))
    assert drawn is not None
    assert drawn.interval is not None
    assert drawn.refused is not None
    start, end = drawn.interval
    assert 6 <= start <= drawn.value <= end <= 194
    a, b = drawn.refused
    assert a <= b
    holds = value > values[3] if ">" in sign else value < values[3]
    assert not (holds and a < drawn.value - 1e-6 and drawn.value + 1e-6 < b)


def test_a_bar_needs_more_than_a_value() -> None:
    assert score_bar(NOTE | {"low": None, "high": None, "limit": None}, "", (0, 1)) is None
    alone = score_bar(NOTE | {"low": None, "high": None}, "", (0, 1))
    assert alone is not None
    assert alone.interval is None
    assert alone.limit is not None


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted), min_size=2))
def test_scores_of_one_axis_can_be_compared(intervals: list[list[float]]) -> None:
    """The larger value stands further to the right, whatever the other scores are."""
    notes = [NOTE | dict(zip(("low", "value", "high"), i, strict=True)) for i in intervals]
    ends = axis_ends(notes, is_share=True)
    assert 0 <= ends[0] < ends[1] <= 1
    bars = [score_bar(note, "", ends) for note in notes]
    assert len({(bar.ends, bar.limit) for bar in bars if bar}) == 1
    drawn = sorted((note["value"], bar.value) for note, bar in zip(notes, bars, strict=True) if bar)
    assert [at for _, at in drawn] == sorted(at for _, at in drawn)
