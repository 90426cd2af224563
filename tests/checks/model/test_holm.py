"""Holm's adjustment is that of statsmodels."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate_checks.model import compare


@settings(max_examples=6, deadline=None)  # it collects garbage each time
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_it_is_that_of_statsmodels(ps: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    assert compare.adjusted_p_values(ps) == pytest.approx(list(multipletests(ps, method="holm")[1]))


@pytest.mark.parametrize("place", range(3))
def test_what_has_no_p_stays_without_and_counts_among_the_claims(place: int) -> None:
    ps = [0.01, 0.04]
    ps.insert(place, math.nan)
    found = compare.adjusted_p_values(ps)
    assert math.isnan(found.pop(place))
    assert found == pytest.approx([0.03, 0.08])
