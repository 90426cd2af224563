"""Sample sizes: exact pass rates, and a plan that keeps its word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.results.outcome import Mode
from tunegate_checks import stats


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.floats(0.5, 0.99), st.floats(0.3, 1))
def test_a_bound_is_stricter_than_the_estimate(n: int, limit: float, accuracy: float) -> None:
    by_bound, by_value = (stats.pass_rate(n, limit, accuracy, m) for m in ("lower", "point"))
    assert 0 <= by_bound <= by_value + 1e-9 <= 1 + 1e-6
    assert stats.pass_rate(n, limit, limit, "lower") <= stats.RISK + 1e-9


@pytest.mark.parametrize(("mode", "weaker"), [("lower", 0.95), ("point", 0.92)])
def test_the_rows_for_a_limit_pass_a_good_model_and_no_weak_one(mode: Mode, weaker: float) -> None:
    n = stats.rows_for_limit(0.95, 0.975, mode)
    assert stats.pass_rate(n, 0.95, 0.975, mode) >= stats.POWER
    assert stats.pass_rate(n, 0.95, weaker, mode) <= stats.RISK
    assert stats.rows_for_limit(0.95, 0.95, mode) == stats.MOST_ROWS


@pytest.mark.parametrize("margin", [0.0, 0.03])
@pytest.mark.parametrize("mode", ["point", "lower"])
def test_a_pair_passes_as_often_as_it_does_in_simulation(margin: float, mode: Mode) -> None:
    n, gained, lost = 200, 0.06, 0.03
    drawn = np.random.default_rng(1).multinomial(n, [gained, lost, 1 - gained - lost], size=3_000)
    pairs, counts = np.unique(drawn[:, :2], axis=0, return_counts=True)
    held = [
        (won > away if not margin else won - away >= -margin * n - 1e-9)
        if mode == "point"
        else stats.not_inferior_p(int(won), int(away), n, margin) <= 0.05
        for won, away in pairs
    ]
    simulated = counts[held].sum() / 3_000
    assert stats.pair_pass_rate(n, gained, lost, margin, mode) == pytest.approx(simulated, abs=0.03)


def test_two_models_that_never_differ_are_as_good_as_each_other() -> None:
    assert stats.pair_pass_rate(100, 0, 0, 0.05, "lower") == 1.0
    assert stats.pair_pass_rate(100, 0, 0, 0.0, "lower") == 0.0
    assert stats.rows_for_pair(0, 0, 0.05, "lower") == 59
    assert stats.rows_for_pair(-0.03, 0.06, 0.03, "lower") == stats.MOST_ROWS
