"""Kappa: against scikit-learn, a bootstrap, and the figures of a textbook."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from tunegate_checks.stats.kappa import kappa

STEPS = range(1, 6)
PAIRS = st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(STEPS)), min_size=2, max_size=40)


@given(PAIRS, st.booleans())
def test_it_is_scikit_learns(pairs: list[tuple[int, int]], quadratic: bool) -> None:
    people, judge = zip(*pairs, strict=True)
    ours = kappa(people, judge, STEPS, quadratic=quadratic)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = cohen_kappa_score(
            people, judge, labels=list(STEPS), weights="quadratic" if quadratic else None
        )
    if math.isnan(ours):
        assert math.isnan(theirs) or len({*people, *judge}) == 1
    else:
        assert float(ours) == pytest.approx(theirs, abs=1e-9)
        assert -1 <= ours.low <= float(ours) + 1e-9
        assert float(ours) - 1e-9 <= ours.high <= 1


@given(PAIRS, st.booleans())
def test_who_is_the_first_rater_does_not_matter(
    pairs: list[tuple[int, int]], quadratic: bool
) -> None:
    people, judge = zip(*pairs, strict=True)
    one = kappa(people, judge, STEPS, quadratic=quadratic)
    other = kappa(judge, people, STEPS, quadratic=quadratic)
    for a, b in ((float(one), float(other)), (one.low, other.low), (one.high, other.high)):
        assert a == pytest.approx(b, abs=1e-9, nan_ok=True)


def test_a_known_case() -> None:
    """20 + 15 of 50 alike: J. Cohen's formula gives 0.4, Fleiss, Cohen & Everitt's error 0.127."""
    people = [True] * 25 + [False] * 25
    judge = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    found = kappa(people, judge, (False, True))
    assert float(found) == pytest.approx(0.4)
    assert (found.high - found.low) / (2 * 1.959964) == pytest.approx(0.1263, abs=2e-3)
    assert found.signature == "Cohen's kappa, unweighted; 35 of 50 alike"


@pytest.mark.parametrize("quadratic", [False, True])
def test_the_interval_is_a_bootstraps(quadratic: bool) -> None:
    rng = np.random.default_rng(7)
    people = rng.integers(1, 6, 400)
    judge = np.where(rng.random(400) < 0.6, people, rng.integers(1, 6, 400))
    ours = kappa(people.tolist(), judge.tolist(), STEPS, quadratic=quadratic)
    draws = rng.integers(0, 400, (300, 400))
    theirs = [
        float(kappa(people[d].tolist(), judge[d].tolist(), STEPS, quadratic=quadratic))
        for d in draws
    ]
    assert (ours.high - ours.low) / 3.92 == pytest.approx(np.std(theirs), rel=0.15)


def test_nothing_to_agree_on() -> None:
    assert math.isnan(kappa([], [], (False, True)))
    assert math.isnan(kappa([True] * 9, [True] * 9, (False, True)))
    assert float(kappa([True] * 9, [False] * 9, (False, True))) == 0


def test_it_is_statsmodels() -> None:
    rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table = np.array([[20, 5, 1], [10, 15, 3], [0, 4, 12]])
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i, j])]
    for quadratic in (False, True):
        ours = kappa(*zip(*pairs, strict=True), range(3), quadratic=quadratic)
        theirs = rater.cohens_kappa(table, wt="quadratic" if quadratic else None)
        assert (ours.high - ours.low) / (2 * 1.959964) == pytest.approx(theirs.std_kappa)
