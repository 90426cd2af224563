"""The bootstrap, tests of proportions and kappa agree with scipy, statsmodels and scikit-learn."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from tunegate.results.score import clopper_pearson
from tunegate_checks import stats


def test_each_resample_weighs_as_much_as_the_rows() -> None:
    ones = np.ones((50, 1))
    assert stats.resampled_sums(ones)[:, 0] == pytest.approx(50.0)
    grouped = stats.Units(50, 5, np.arange(50) // 10, np.ones(50))
    assert stats.resampled_sums(ones, units=grouped, added=ones[:2])[:, 0] == pytest.approx(50.0)


def test_two_models_are_resampled_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(40.0).reshape(20, 2)
    one = stats.resampled_sums(values, 1_000)
    assert (stats.resampled_sums(values, 1_000) == one).all()
    assert stats.resampled_sums(values[:, :1], 1_000)[:, 0] == pytest.approx(one[:, 0])
    monkeypatch.setattr(stats, "_MAX_WEIGHTS", 70)
    assert stats.resampled_sums(values, 1_000) == pytest.approx(one)


def test_the_interval_of_a_mean_is_about_that_of_scipys_bootstrap() -> None:
    from scipy.stats import bootstrap as known

    values = np.random.default_rng(1).exponential(size=300)
    drawn = stats.resampled_sums(values[:, None], 10_000)[:, 0] / 300
    wanted = known((values,), np.mean, method="percentile", rng=np.random.default_rng(2))
    ours = np.quantile(drawn, [0.025, 0.975])
    assert ours == pytest.approx(list(wanted.confidence_interval), abs=0.012)  # of a width of 0.22


ALONE = stats.Units(40, 40)


@pytest.mark.parametrize("hits", [0, 1, 20, 39, 40])
def test_of_a_share_the_bounds_are_clopper_and_pearsons(hits: int) -> None:
    from scipy.stats import binomtest

    rows = np.array([[1.0]] * hits + [[0.0]] * (40 - hits))
    exact = stats.estimate_mean(rows[:, 0], ALONE)
    ends = np.array([[0.0]]), np.array([[1.0]])
    drawn = stats.estimate(rows, stats.average, ends, ALONE)
    known = binomtest(hits, 40).proportion_ci(0.95, "exact")
    assert (exact.low, exact.high) == pytest.approx((known.low, known.high))
    assert exact.lower == pytest.approx(clopper_pearson(hits, 40))
    assert exact.upper == pytest.approx(1 - clopper_pearson(40 - hits, 40))
    assert drawn == pytest.approx(exact, abs=0.012)  # Gaffke's bound of 0s and 1s is the same


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_estimate_lies_within_its_bounds(values: list[float]) -> None:
    found = stats.estimate_mean(values, stats.Units(len(values), len(values)))
    assert 0 <= found.low <= found.lower <= found.value + 1e-9
    assert found.value - 1e-9 <= found.upper <= found.high <= 1


def test_a_scale_is_a_scale() -> None:
    marks, shares = [1, 5, 3, 4, 2.5] * 4, [0, 1, 0.5, 0.75, 0.375] * 4
    units = stats.Units(20, 20)
    on_scale, on_unit = stats.estimate_mean(marks, units, 1, 5), stats.estimate_mean(shares, units)
    assert on_scale == pytest.approx([1 + 4 * bound for bound in on_unit])


flips = st.integers(0, 60)


@given(flips, flips)
def test_mcnemar_is_that_of_statsmodels(gained: int, lost: int) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    known = mcnemar([[0, gained], [lost, 0]], exact=True).pvalue if gained + lost else 1.0
    assert stats.mcnemar_p(gained, lost) == pytest.approx(known)


@given(flips, flips)
def test_one_sided_it_is_scipys_binomial_test(gained: int, lost: int) -> None:
    from scipy.stats import binomtest

    n = gained + lost
    known = binomtest(gained, n, alternative="greater").pvalue if n else math.nan
    assert stats.not_inferior_p(gained, lost, n, 0.0) == pytest.approx(known, nan_ok=True)


def test_thousands_of_flips_do_not_overflow() -> None:
    assert stats.mcnemar_p(3_000, 2_000) < 1e-40


@settings(max_examples=20, deadline=None)
@given(flips, flips, st.integers(0, 300))
def test_the_interval_is_that_of_a_dirichlet_with_one_flip_more(
    gained: int, lost: int, alike: int
) -> None:
    n = gained + lost + alike
    assume(gained + alike)
    low, high = stats.difference_interval(gained, lost, n)
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    assert stats.difference_interval(lost, gained, n) == pytest.approx((-high, -low))
    # Three independent gamma numbers, divided by their sum, are Dirichlet distributed.
    shapes = np.array([gained, lost + 1, n - gained - lost])
    shares = np.random.default_rng(0).gamma(shapes, size=(20_000, 3))
    drawn = (shares[:, 0] - shares[:, 1]) / shares.sum(axis=1)
    assert float((drawn <= low).mean()) == pytest.approx(0.025, abs=0.006)


@given(flips, flips, st.integers(0, 300))
def test_without_a_margin_it_is_mcnemars_exact_test(gained: int, lost: int, alike: int) -> None:
    n = gained + lost + alike
    flips = gained + lost
    if flips:  # the rows that did not change say nothing
        known = stats.not_inferior_p(gained, lost, flips, 0.0)
        assert stats.not_inferior_p(gained, lost, n, 0.0) == pytest.approx(known)
    if n:
        assert stats.not_inferior_p(0, 0, n, 0.05) == pytest.approx(0.95**n)


@pytest.mark.parametrize(("n", "margin"), [(30, 0.05), (45, 0.05), (60, 0.05), (60, 0.03)])
@pytest.mark.parametrize("gains", [0.0, 0.01, 0.05])
def test_a_model_that_is_worse_by_the_margin_passes_at_most_one_time_in_twenty(
    n: int, margin: float, gains: float
) -> None:
    """Every count of gains and losses, with its probability; Bonett & Price's test had 10 %."""
    from scipy.stats import multinomial

    shares = [gains, gains + margin, 1 - 2 * gains - margin]
    most = range(int(n * (gains + margin)) + 12)  # more flips than that do not happen
    cells = [(g, lost, n - g - lost) for g in (most if gains else [0]) for lost in most]
    cells = [cell for cell in cells if multinomial.pmf(cell, n, shares) > 1e-7]
    passed = [cell for cell in cells if stats.not_inferior_p(*cell[:2], n, margin) <= 0.05]
    assert sum(multinomial.pmf(cell, n, shares) for cell in passed) <= 0.05


@settings(max_examples=50)
@given(flips, flips, st.integers(1, 300), st.floats(0.001, 0.2))
def test_not_inferior_where_the_interval_ends_above_the_margin(
    gained: int, lost: int, alike: int, margin: float
) -> None:
    n = gained + lost + alike
    p = stats.not_inferior_p(gained, lost, n, margin)
    low, _ = stats.difference_interval(gained, lost, n, stats.Z90)
    assert (p < 0.05) == (low > -margin) or low == -1 or p == pytest.approx(0.05, abs=1e-6)


STEPS = range(1, 6)
PAIRS = st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(STEPS)), min_size=2, max_size=40)


@given(PAIRS, st.booleans())
def test_it_is_scikit_learns(pairs: list[tuple[int, int]], quadratic: bool) -> None:
    people, judge = zip(*pairs, strict=True)
    ours = stats.kappa(people, judge, STEPS, quadratic=quadratic)
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
    one = stats.kappa(people, judge, STEPS, quadratic=quadratic)
    other = stats.kappa(judge, people, STEPS, quadratic=quadratic)
    for a, b in ((float(one), float(other)), (one.low, other.low), (one.high, other.high)):
        assert a == pytest.approx(b, abs=1e-9, nan_ok=True)


def test_a_known_case() -> None:
    """20 + 15 of 50 alike: J. Cohen's formula gives 0.4, Fleiss, Cohen & Everitt's error 0.127."""
    people = [True] * 25 + [False] * 25
    judge = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    found = stats.kappa(people, judge, (False, True))
    assert float(found) == pytest.approx(0.4)
    assert (found.high - found.low) / (2 * 1.959964) == pytest.approx(0.1263, abs=2e-3)
    assert found.signature == "Cohen's kappa, unweighted; 35 of 50 alike"


@pytest.mark.parametrize("quadratic", [False, True])
def test_the_interval_is_a_bootstraps(quadratic: bool) -> None:
    rng = np.random.default_rng(7)
    people = rng.integers(1, 6, 400)
    judge = np.where(rng.random(400) < 0.6, people, rng.integers(1, 6, 400))
    ours = stats.kappa(people.tolist(), judge.tolist(), STEPS, quadratic=quadratic)
    draws = rng.integers(0, 400, (300, 400))
    theirs = [
        float(stats.kappa(people[d].tolist(), judge[d].tolist(), STEPS, quadratic=quadratic))
        for d in draws
    ]
    assert (ours.high - ours.low) / 3.92 == pytest.approx(np.std(theirs), rel=0.15)


def test_nothing_to_agree_on() -> None:
    assert math.isnan(stats.kappa([], [], (False, True)))
    assert math.isnan(stats.kappa([True] * 9, [True] * 9, (False, True)))
    assert float(stats.kappa([True] * 9, [False] * 9, (False, True))) == 0


def test_it_is_statsmodels() -> None:
    rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table = np.array([[20, 5, 1], [10, 15, 3], [0, 4, 12]])
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i, j])]
    for quadratic in (False, True):
        ours = stats.kappa(*zip(*pairs, strict=True), range(3), quadratic=quadratic)
        theirs = rater.cohens_kappa(table, wt="quadratic" if quadratic else None)
        assert (ours.high - ours.low) / (2 * 1.959964) == pytest.approx(theirs.std_kappa)
