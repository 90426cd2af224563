"""Learning curves: planted ones are recovered, and what cannot be said is not."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.results.learning_curve import SURE, Point, RowsNeeded, rows_needed_for
from tunegate.results.score import Unmeasurable

SIZES = (200, 400, 800)


def planted(a: float, b: float, c: float, n: float, sizes: tuple[int, ...]) -> list[Point]:
    """Return the points of a curve without noise."""
    return [(rows, n * (a * rows**-b + c), n) for rows in sizes]


@settings(max_examples=15, deadline=None)
@given(st.floats(0.4, 1.0), st.floats(0.1, 0.2), st.floats(0.4, 0.9), st.permutations(SIZES))
def test_a_planted_power_law_is_recovered(
    b: float, last: float, share: float, sizes: list[int]
) -> None:
    a, target = last * 800**b, share * last
    needed = rows_needed_for(planted(a, b, 0, 2_000, tuple(sizes)), target)
    true = (a / target) ** (1 / b)
    assert needed.low <= true <= needed.high
    assert needed.likely == pytest.approx(true, rel=0.06)


def test_more_validation_rows_narrow_the_interval() -> None:
    few, many = (rows_needed_for(planted(3, 0.5, 0, n, SIZES), 0.08) for n in (1_000, 4_000))
    assert few.low < many.low < many.high < few.high


def test_far_from_what_was_measured_it_says_that_the_law_must_go_on() -> None:
    needed = rows_needed_for(planted(3, 0.5, 0, 2_000, SIZES), 0.05)
    assert needed.goes_on
    assert needed.low <= (3 / 0.05) ** 2 <= needed.high


def test_a_floor_below_the_target_is_heeded() -> None:
    points = planted(30, 1, 0.03, 4_000, (*SIZES, 1_600))
    needed = rows_needed_for(points, 0.05)
    assert needed.low <= 30 / 0.02 <= needed.high
    assert needed.likely == pytest.approx(30 / 0.02, rel=0.15)
    assert not needed.goes_on


CANNOT = {
    "one point": ([(200, 30, 300)], "a power law takes 3 sizes, and 1 are there"),
    "no points": ([], "3 sizes, and 0 are there"),
    "flat": (
        [(n, 60, 300) for n in SIZES],
        "as far as 300 independent validation rows show, errors do not fall from 200 to 800 "
        "training rows: a plateau, before the power law or after it",
    ),
    "errors rise": ([(n, 40 + n / 10, 300) for n in SIZES], "errors do not fall"),
    "all wrong": ([(n, 300, 300) for n in SIZES], "errors do not fall"),
    "before the power law": (
        [(200, 260, 300), (400, 255, 300), (800, 90, 300)],
        "errors begin to fall at about 400 rows: a plateau before the power law",
    ),
    "after it": (
        planted(6_000, 2, 0.12, 2_000, (*SIZES, 1_600)),
        "errors level off at about 12.2%: a plateau after the power law",
    ),
    "down and up again": (
        [(200, 150, 300), (400, 30, 300), (800, 60, 300)],
        "errors level off at about 20.0%: a plateau after the power law, or one odd training",
    ),
    "few validation rows": (
        [(200, 14, 60), (400, 9, 60), (800, 5, 60)], "60 independent validation rows are too few"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CANNOT)
def test_what_cannot_be_said(name: str) -> None:
    points, why = CANNOT[name]
    target = 0.15 if name == "down and up again" else 0.05
    with pytest.raises(Unmeasurable, match=re.escape(why)):
        rows_needed_for(points, target)


def test_both_ends_are_refuted() -> None:
    import numpy as np

    points, target = [(200, 110, 500), (400, 63, 500), (800, 41, 500)], 0.15

    def best(needed: float) -> float:
        found = [-math.inf]
        for floor in target * (1 - np.geomspace(1e-3, 1, 20)):
            logs = 0
            for rows, wrong, n in points:
                share = floor + (target - floor) * (needed / rows) ** np.linspace(0.02, 3, 150)
                share = np.clip(share, 1e-12, 1 - 1e-12)
                logs = logs + wrong * np.log(share) + (n - wrong) * np.log1p(-share)
            found.append(float(np.max(logs)))
        return max(found)

    needed = rows_needed_for(points, target)
    least = max(map(best, np.geomspace(200, 600, 200))) - SURE
    assert best(needed.low) < least
    assert best(needed.high) < least
    assert best(needed.low * 1.03) > least
    assert best(needed.high / 1.03) > least


def test_an_end_that_is_nothing_is_not_told() -> None:
    with pytest.raises(Unmeasurable, match=r"^60 independent validation rows are too few$"):
        rows_needed_for([(200, 6, 60), (400, 6, 60), (800, 3, 60)], 0.1)


@pytest.mark.parametrize("target", [0.0, -0.1])
def test_a_limit_of_100_per_cent(target: float) -> None:
    with pytest.raises(Unmeasurable, match="no number of rows"):
        rows_needed_for(planted(3, 0.5, 0, 1_000, SIZES), target)


def test_without_errors_the_smallest_size_is_enough() -> None:
    needed = rows_needed_for([(n, 0, 300) for n in SIZES], 0.05)
    assert needed.low == 0
    assert needed.high <= 200
    assert not needed.goes_on


def test_it_is_within_the_sizes_where_the_target_is() -> None:
    needed = rows_needed_for(planted(3, 0.5, 0, 3_000, SIZES), 0.15)
    assert 200 < needed.low < 400 < needed.high < 500
    assert not needed.goes_on  # what comes after is not asked


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "floor"), [(SIZES, 0.0), ((*SIZES, 1_600), 0.0)])
def test_intervals_hold_what_they_promise(sizes: tuple[int, ...], floor: float) -> None:
    """95 % of the intervals hold the true number, of those that are given."""
    import numpy as np

    random, target, n = np.random.default_rng(0), 0.07, 500
    true = ((target - floor) / 3) ** (-1 / 0.5)
    given = list[RowsNeeded]()
    for _ in range(150):
        shares = [3 * rows**-0.5 + floor for rows in sizes]
        points = [
            (rows, int(random.binomial(n, share)), n)
            for rows, share in zip(sizes, shares, strict=True)
        ]
        try:
            given.append(rows_needed_for(points, target))
        except Unmeasurable:
            continue
    held = sum(needed.low <= true <= needed.high for needed in given)
    assert len(given) > 90
    assert held / len(given) > 0.95 - 2 * math.sqrt(0.95 * 0.05 / len(given))


@pytest.mark.slow
def test_no_end_is_certain_where_errors_never_reach_the_target() -> None:
    """Of a curve whose floor is above the target, an answer is never more than a condition."""
    import numpy as np

    random = np.random.default_rng(0)
    for _ in range(100):
        shares = {rows: 30 / rows + 0.1 for rows in SIZES}
        points = [(k, int(random.binomial(1_000, p)), 1_000) for k, p in shares.items()]
        try:
            assert rows_needed_for(points, 0.05).goes_on
        except Unmeasurable:
            continue
