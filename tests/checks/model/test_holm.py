"""Several claims at once: Holm's adjustment is that of statsmodels, and says which claim failed."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predicted import models

from tunegate.results.outcome import collect_outcomes
from tunegate_checks.model import compare


@settings(max_examples=6, deadline=None)  # it collects garbage each time
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_it_is_that_of_statsmodels(ps: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    assert compare.adjusted_p_values(ps) == pytest.approx(list(multipletests(ps, method="holm")[1]))


def test_all_claims_hold() -> None:
    family = compare.HolmFamily(
        compare.superior(*models(20, 1, 79)), compare.not_inferior(*models(2, 2, 300), margin=0.03)
    )
    assert family
    assert repr(family) == "<all 2 claims hold after Holm, alpha = 0.05>"


def test_what_held_alone_fails_among_others_and_says_so() -> None:
    close = compare.superior(*models(7, 1, 92))
    assert close.holds()
    family = compare.HolmFamily(close, close, compare.superior(*models(20, 1, 79)))
    with collect_outcomes() as ledger:
        assert not family
    assert repr(family) == (
        "<2 of 3 claims fail after Holm: accuracy better (p = 0.035, adjusted 0.07); "
        "accuracy better (p = 0.035, adjusted 0.07)>"
    )
    assert [(j.name, j.passed, j.subject) for j in ledger] == [("Holm", False, close.flips)]


@pytest.mark.parametrize("failed", [(5,), (5, 6)])
def test_the_flips_of_a_judgement_are_those_of_the_first_claim_that_failed(
    failed: tuple[int, ...],
) -> None:
    sure = compare.superior(*models(20, 1, 79))
    close = [compare.superior(*models(gained, 1, 92)) for gained in failed]
    with collect_outcomes() as ledger:
        assert not compare.HolmFamily(sure, *close)
        assert compare.HolmFamily(sure)
    assert [j.subject for j in ledger] == [close[0].flips, None]
    assert close[0].flips not in (sure.flips, *(claim.flips for claim in close[1:]))


@pytest.mark.parametrize("place", range(3))
def test_what_has_no_p_stays_without_and_counts_among_the_claims(place: int) -> None:
    ps = [0.01, 0.04]
    ps.insert(place, math.nan)
    found = compare.adjusted_p_values(ps)
    assert math.isnan(found.pop(place))
    assert found == pytest.approx([0.03, 0.08])


def test_no_claims() -> None:
    with pytest.raises(ValueError, match="no comparisons"):
        compare.HolmFamily()
