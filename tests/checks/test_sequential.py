"""Boundaries of sequential tests: the vectors of their derivation, exact errors, simulations."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate_checks import stats
from tunegate_checks.model import stopping

LOOKS_480, LOOKS_200 = tuple(range(20, 481, 20)), tuple(range(20, 201, 20))
RUNS = 2_000


def test_the_boundaries_of_480_rows_in_point_mode() -> None:
    passes, fails = stopping.spending(480, 24, LOOKS_480)
    assert passes[:5] == [-1] * 5
    assert passes[5:15] == [0, 1, 1, 2, 3, 4, 5, 6, 7, 8]
    assert fails[:6] == [5, 7, 9, 10, 11, 12]
    assert (passes[-1], fails[-1]) == (24, 25)


def test_the_boundaries_of_200_rows_in_lower_mode() -> None:
    assert stats.errors_in_all(200, 0.95, "lower") == 4
    passes, _ = stopping.spending(200, 4, LOOKS_200, 0.95)
    assert passes == [-1, -1, -1, 0, 0, 1, 1, 2, 3, 4]
    at_the_limit = stopped(lambda count, _: np.full(len(count), 0.05), LOOKS_200, passes)
    assert at_the_limit == pytest.approx(0.0470, abs=5e-5)


def stopped(chance: stopping.Chance, looks: tuple[int, ...], most: list[int]) -> float:
    """Return the probability that a count is ever as low as one of the boundaries."""
    q, total = np.ones(1), 0.0
    for before, t, few in zip((0, *looks), looks, most, strict=False):
        q = stopping._walk(q, range(before, t), chance)
        total, q[: few + 1] = total + float(q[: few + 1].sum()), 0
    return total


def test_the_exact_errors_of_480_rows() -> None:
    passes, fails = stopping.spending(480, 24, LOOKS_480)
    one_too_many = stopping._share_of(25, 480)
    assert stopped(one_too_many, LOOKS_480, passes) == pytest.approx(0.0082, abs=5e-5)
    right = stopping._share_of(456, 480)
    most_right = [t - fewest for t, fewest in zip(LOOKS_480, fails, strict=True)]
    assert stopped(right, LOOKS_480, most_right) == pytest.approx(0.0363, abs=5e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 120), st.data())
def test_what_is_certain_is_so_whatever_the_rows_say_that_are_not_asked(
    n: int, data: st.DataObject
) -> None:
    t, allowed = data.draw(st.integers(1, n)), data.draw(st.integers(-1, n))
    wrong = data.draw(st.integers(0, t))
    (passes,), (fails,) = stopping.certain(n, allowed, [t])
    verdicts = {wrong <= allowed, wrong + (n - t) <= allowed}
    assert (wrong <= passes, wrong >= fails) == (verdicts == {True}, verdicts == {False})


@settings(max_examples=20, deadline=None)
@given(st.integers(20, 400), st.floats(0.5, 0.99), st.booleans())
def test_no_count_passes_and_fails_and_the_last_look_is_the_whole_rule(
    n: int, limit: float, lower: bool
) -> None:
    looks = (*range(20, n, 20), n)
    allowed = stats.errors_in_all(n, limit, "lower" if lower else "point")
    passes, fails = stopping.spending(n, allowed, looks, limit if lower else None)
    assert all(most < fewest for most, fewest in zip(passes, fails, strict=True))
    assert (passes[-1], fails[-1]) == (allowed, allowed + 1)


@given(st.integers(30, 300), st.data())
def test_the_interval_holds_the_estimate_and_shrinks_to_it(n: int, data: st.DataObject) -> None:
    asked = data.draw(st.integers(1, n))
    wrong = data.draw(st.integers(0, asked))
    low, high = stopping.interval(n, asked, wrong)
    assert 0 <= low <= 1 - wrong / asked + 1 / n
    assert 1 - wrong / asked - 1 / n <= high <= 1
    assert stopping.interval(n, n, wrong) == pytest.approx((1 - wrong / n,) * 2)


def test_the_evidence_about_two_models() -> None:
    assert stopping.evidence(12, 3, 200, 0.03) == pytest.approx(407.66, abs=0.005)
    assert stopping.evidence(12, 3, 200, 0) == pytest.approx(8.9068, abs=5e-5)
    assert stopping.evidence(90_000, 0, 100_000, 0.03) > 1e300


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300), st.data())
def test_no_evidence_is_to_be_expected_of_a_row_where_the_model_is_as_much_worse(
    gained: int, lost: int, alike: int, data: st.DataObject
) -> None:
    margin = data.draw(st.floats(0, 0.3))
    chance = data.draw(st.floats(0, 1 - margin)) / 2  # of a gain
    n = gained + lost + alike
    more = stopping.evidence(gained + 1, lost, n + 1, margin)
    less = stopping.evidence(gained, lost + 1, n + 1, margin)
    same = stopping.evidence(gained, lost, n + 1, margin)
    mean = chance * more + (chance + margin) * less + (1 - 2 * chance - margin) * same
    assert mean == pytest.approx(stopping.evidence(gained, lost, n, margin), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=12))
def test_flips_that_are_won_by_luck_seldom_show_a_gain(new: list[int]) -> None:
    flips, looks = [*np.cumsum(new).tolist()], [*range(40, 40 * len(new) + 1, 40)]
    most = stopping.sign_test(flips, looks, looks[-1])
    q, total = {0: 1.0}, 0.0
    for more, few in zip(new, most, strict=True):
        after: dict[int, float] = {}
        for lost, chance in q.items():
            for k in range(more + 1):
                share = chance * math.comb(more, k) / 2**more
                after[lost + k] = after.get(lost + k, 0) + share
        total += sum(chance for lost, chance in after.items() if lost <= few)
        q = {lost: chance for lost, chance in after.items() if lost > few}
    assert total <= stopping.ALPHA_EARLY + 1e-12
    assert stopping.sign_test([10, 20], [100, 200], 200)[-1] < 10 / 2


@pytest.fixture
def early_stops(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The simulation in benchmarks/."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("early_stops")


@pytest.mark.slow
@pytest.mark.parametrize("n", [200, 480, 1_000, 2_000])
def test_in_point_mode_all_rows_would_seldom_say_otherwise(n: int, early_stops: Any) -> None:
    for accuracy in early_stops.ACCURACIES:
        found = early_stops.measure(early_stops.drawn(n, accuracy, RUNS), "point")
        assert found.false_passes <= 0.01
        assert found.false_passes + found.false_fails <= 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("over", "most"), [(1, 0.01), (0, 0.05)])
def test_the_worst_test_sets_keep_the_promise(over: int, most: float, early_stops: Any) -> None:
    found = early_stops.measure(early_stops.shuffled(480, 24 + over, 5 * RUNS), "point")
    error = found.false_passes if over else found.false_fails
    assert 0.4 * most < error <= most + 3 * math.sqrt(most / (5 * RUNS))


@pytest.mark.slow
@pytest.mark.parametrize("n", [200, 480, 1_000])
def test_in_lower_mode_a_model_at_the_limit_passes_one_time_in_twenty(
    n: int, early_stops: Any
) -> None:
    found = early_stops.measure(early_stops.drawn(n, 0.95, 5 * RUNS), "lower")
    assert 0.03 < found.passes <= 0.05 + 3 * math.sqrt(0.05 / (5 * RUNS))


@pytest.mark.slow
def test_what_is_certain_is_never_otherwise(early_stops: Any) -> None:
    for mode in ("point", "lower"):
        rows = early_stops.drawn(480, 0.95, RUNS)
        found = early_stops.measure(rows, mode, is_sequential=False)
        assert found.false_passes == found.false_fails == 0


@pytest.mark.slow
def test_a_bad_model_is_cheap_and_one_at_the_limit_is_not(early_stops: Any) -> None:
    bad, limit, good = (
        early_stops.measure(early_stops.drawn(480, accuracy, RUNS), "point").asked
        for accuracy in (0.80, 0.95, 0.99)
    )
    assert bad < 0.12
    assert limit > 0.8
    assert good < 0.40


@pytest.mark.slow
@pytest.mark.parametrize(("margin", "difference"), [(None, 0.0), (0.03, -0.03)])
def test_a_claim_about_models_that_does_not_hold_is_shown_one_time_in_twenty(
    margin: float | None, difference: float, early_stops: Any
) -> None:
    found = early_stops.compare_pairs(480, difference, margin, RUNS)
    assert 0.01 < found.shown <= 0.05 + 3 * math.sqrt(0.05 / RUNS)


@pytest.mark.slow
@pytest.mark.parametrize("margin", [None, 0.03])
def test_a_worse_model_is_given_up_early_and_a_good_one_seldom(
    margin: float | None, early_stops: Any
) -> None:
    worse = early_stops.compare_pairs(480, -0.05, margin, 200)
    good = early_stops.compare_pairs(480, 0.03 if margin is None else 0.0, margin, 800)
    assert worse.asked < (0.4 if margin is None else 0.7)
    assert good.shown_all - 0.07 < good.shown <= good.shown_all + 0.01
