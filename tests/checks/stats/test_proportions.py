"""McNemar's test and the paired interval agree with statsmodels, scipy and their sources."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate_checks.stats import proportions

flips = st.integers(0, 60)


@given(flips, flips)
def test_mcnemar_is_that_of_statsmodels(gained: int, lost: int) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    known = mcnemar([[0, gained], [lost, 0]], exact=True).pvalue if gained + lost else 1.0
    assert proportions.mcnemar_p(gained, lost) == pytest.approx(known)


@given(flips, flips)
def test_one_sided_it_is_scipys_binomial_test(gained: int, lost: int) -> None:
    from scipy.stats import binomtest

    n = gained + lost
    known = binomtest(gained, n, alternative="greater").pvalue if n else 1.0
    assert proportions.mcnemar_greater_p(gained, lost) == pytest.approx(known)


def test_thousands_of_flips_do_not_overflow() -> None:
    assert proportions.mcnemar_p(3_000, 2_000) < 1e-40


@given(flips, flips, st.integers(1, 300))
def test_the_interval_is_walds_with_a_gain_and_a_loss_added(
    gained: int, lost: int, alike: int
) -> None:
    from statsmodels.stats.weightstats import zconfint

    n = gained + lost + alike
    signs = [1.0] * (gained + 1) + [-1.0] * (lost + 1) + [0.0] * alike
    low, high = zconfint(signs, ddof=0)
    low, high = max(low, -1), min(high, 1)
    assert proportions.difference_interval(gained, lost, n) == pytest.approx((low, high), abs=1e-6)


@settings(max_examples=50)
@given(flips, flips, st.integers(1, 300), st.floats(0.001, 0.2))
def test_not_inferior_where_the_interval_ends_above_the_margin(
    gained: int, lost: int, alike: int, margin: float
) -> None:
    n = gained + lost + alike
    p = proportions.not_inferior_p(gained, lost, n, margin)
    low, _ = proportions.difference_interval(gained, lost, n, proportions.Z90)
    assert (p < 0.05) == (low > -margin) or low == -1 or p == pytest.approx(0.05, abs=1e-6)
