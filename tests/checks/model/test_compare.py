"""Comparisons: paired, with the flips listed, and no claim that the evidence does not carry."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predicted import RIGHT, WRONG, models, predicted, valued

from tunegate import Unmeasurable
from tunegate.results.outcome import collect_outcomes
from tunegate_checks.model import classification, compare
from tunegate_checks.model.classification import averaged
from tunegate_checks.model.metric import mean

closeness = mean("closeness", lambda p: 0.0 if p.error else float(p.got))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 60))
def test_accuracy_is_compared_by_the_exact_mcnemar(gained: int, lost: int, alike: int) -> None:
    from scipy.stats import binomtest

    found = compare.superior(*models(gained, lost, alike))
    n = gained + lost
    known = binomtest(gained, n, alternative="greater").pvalue if n else 1.0
    assert found.p == pytest.approx(known)
    assert float(found.difference) == pytest.approx((gained - lost) / (n + alike))
    assert found.holds() == (known <= 0.05)
    assert len(found.flips) == n


def test_the_flips_are_listed_item_by_item() -> None:
    flips = compare.superior(*models(1, 1, 20)).flips
    assert [(f.line, f.kind, f.evidence) for f in flips] == [
        (1, "gained", "'b' became 'a' for: ticket 0"),
        (2, "lost", "'a' became 'b' for: ticket 1"),
    ]
    new, old = valued([0.5, 0.7]), valued([0.5, 0.9])
    (worse,) = compare.superior(new, old, closeness).flips
    assert worse.evidence == "-0.200, '1' expected: '0.900000' became '0.700000' for: ticket 1"


def test_it_speaks_in_one_line() -> None:
    assert repr(compare.superior(*models(9, 1, 90))) == (
        "<accuracy better: 91.0% became 99.0% on 100, 9 gained, 1 lost; p = 0.011, exact McNemar>"
    )
    worse = compare.not_inferior(*models(1, 9, 90), margin=0.03)
    assert repr(worse).startswith("<accuracy not worse by 3.0%: 99.0% became 91.0% on 100, ")


def test_asking_is_a_judgement() -> None:
    with collect_outcomes() as ledger:
        assert compare.superior(*models(9, 1, 90))
        assert not compare.superior(*models(1, 9, 90))
    assert [(j.name, j.passed) for j in ledger] == [
        ("accuracy gained", True),
        ("accuracy gained", False),
    ]
    facts = ledger[0].to_dict()
    assert facts["value"] == pytest.approx(0.08)
    assert (facts["sign"], facts["limit"], facts["n"]) == (">", 0.0, 100)
    assert ledger[1].subject == compare.superior(*models(1, 9, 90)).flips


def test_the_figures_of_a_comparison_are_those_of_the_score_table() -> None:
    worse = compare.not_inferior(*models(1, 9, 90), margin=0.03)
    assert worse.to_data() == {
        "low": worse.difference.low, "high": worse.difference.high, "p": worse.p,
        "value": pytest.approx(-0.08), "n": 100, "errors": 0, "hits": None, "sign": ">",
        "limit": -0.03, "signature": "Gaffke", "alpha": 0.05,
    }  # fmt: skip
    new, old = models(3, 0, 10)
    nothing = compare.superior(new.without(range(13)), old).to_data()
    assert {nothing[name] for name in ("low", "high", "p", "value")} == {None}
    assert (nothing["n"], nothing["limit"]) == (0, 0.0)


def test_the_same_model_is_not_worse_and_not_better() -> None:
    new, old = models(0, 0, 200)
    assert not compare.superior(new, old)
    assert compare.not_inferior(new, old, margin=0.03)
    few, same = models(0, 0, 10)
    assert not compare.not_inferior(few, same, margin=0.03)  # ten rows show nothing


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.2, 0.2))
def test_a_mean_is_compared_by_the_paired_bootstrap(seed: int, shift: float) -> None:
    import numpy as np
    from scipy.stats import ttest_rel

    random = np.random.default_rng(seed)
    old = random.uniform(0, 1, 200)
    new = old + random.normal(shift, 0.5, 200)
    found = compare.superior(valued(list(new)), valued(list(old)), closeness)
    known = ttest_rel(new, old, alternative="greater").pvalue
    # Two ways to ask the same of 200 pairs, but ours adds a pair as bad as it can be (about -2).
    assert known - 0.03 <= found.p <= known + 0.15
    interval = ttest_rel(new, old).confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx(
        (interval.low, interval.high), abs=0.025
    )


def test_an_identical_model_is_not_better_by_a_bootstrap_and_surely_not_worse() -> None:
    same = valued([0.25, 0.5, 0.75] * 20)
    better = compare.superior(same, same, closeness)
    assert (better.p, better.holds()) == (1.0, False)
    not_worse = compare.not_inferior(same, same, closeness, margin=0.1)
    assert not_worse.p < 0.01  # 60 rows, one unseen of which the other has a half and we nothing
    assert not_worse.holds()


def test_a_model_that_is_worse_by_the_whole_margin_is_inferior() -> None:
    new, old = valued([0.5] * 40), valued([1.0] * 40)
    assert compare.not_inferior(new, old, closeness, margin=0.5).p == 1.0
    assert compare.not_inferior(new, old, closeness, margin=0.5625).holds()


def test_the_interval_of_a_bootstrap_is_that_of_the_binomial_it_draws_from() -> None:
    """Each resample counts the 200 of 400 rows on which the candidate gains 1: B(400, 1/2)."""
    from scipy.stats import binom

    new, old = valued([1.0, 0.0] * 200), valued([0.0] * 400)
    found = compare.superior(new, old, closeness).difference
    known = binom.ppf([0.025, 0.975], 400, 0.5) / 400
    assert (found.low, found.high) == pytest.approx(tuple(known), abs=1.5 / 400)


def test_an_example_without_an_answer_of_either_model_is_an_error_once() -> None:
    rows = [RIGHT] * 30
    found = compare.superior(predicted(rows, errors=[0, 1]), predicted(rows, errors=[1, 2, 3]))
    assert found.difference.errors == 4


def test_pairing_sees_what_two_scores_apart_do_not() -> None:
    old = [i / 100 for i in range(100)]
    new = [value + 0.02 + 0.001 * (i % 3) for i, value in enumerate(old)]
    assert compare.superior(valued(new), valued(old), closeness)
    one, other = closeness(valued(new)), closeness(valued(old))
    assert one.low < float(other) < float(one) < other.high


def test_a_corpus_wide_metric_is_compared_too() -> None:
    new = predicted([(c, c) for c in "abcd" * 20])
    old = predicted([(c, "a") for c in "abcd" * 20])
    found = compare.superior(new, old, averaged("F1", "macro"))
    assert found
    assert (found.other, found.candidate, len(found.flips)) == (0.1, 1.0, 0)


def test_too_few_for_a_bootstrap() -> None:
    found = compare.superior(valued([1.0] * 19), valued([0.0] * 19), closeness)
    assert not found
    assert "too few: 20 are needed" in repr(found)
    assert found.p == found.best_case_p == 1.0
    assert math.isnan(found.difference.low)


def test_errors_decide_nothing() -> None:
    new = predicted([RIGHT] * 12 + [WRONG] * 88, errors=range(12))
    old = predicted([WRONG] * 100)
    with pytest.raises(Unmeasurable, match="missing answers decide"):
        assert compare.superior(new, old)
    assert not compare.superior(old, predicted([RIGHT] * 100, errors=[0]))


def test_only_common_rows_are_compared() -> None:
    new, old = models(3, 0, 10)
    assert compare.superior(new.without([0, 1]), old).difference.n == 11
    with pytest.raises(Unmeasurable):
        assert compare.superior(new.without(range(13)), old)


@pytest.mark.parametrize("margin", [0, -0.1, float("nan")])
def test_a_margin_is_above_0(margin: float) -> None:
    with pytest.raises(ValueError, match="a number above 0 is needed"):
        compare.not_inferior(*models(1, 1, 1), margin=margin)


def test_several_models_are_one_table_and_one_family() -> None:
    """The p-values are two-sided, and adjusted for all models and metrics together."""
    new, worse = models(gained=9, lost=0, alike=31)
    equal = predicted([(p.expected, p.got) for p in new])
    metrics = classification.right(), classification.averaged("F1", "macro")
    with collect_outcomes() as outcomes:
        claims = compare.models(new, {"worse": worse, "equal": equal}, *metrics)
    scores, differences = (outcome.data["table"] for outcome in outcomes)
    assert scores[0] == ["model", "accuracy", "macro-F1", "USD for 1,000", "p50 (s)", "n"]
    assert [row[:2] for row in scores[1:]] == [
        ["candidate", "100.0%"], ["worse", "77.5%"], ["equal", "100.0%"],
    ]  # fmt: skip
    assert scores[1][3:] == ["-", "-", "40"]
    by_name = {row[0]: row for row in differences[1:]}
    assert by_name["accuracy of worse"][1] == "+22.5%"
    # Four comparisons, two sides, nine flips; that of macro-F1 has the smaller p.
    assert by_name["accuracy of worse"][3] == f"{3 * 2 * 0.5**9:.3f}"
    assert by_name["accuracy of equal"][3] == "1.000"
    difference = claims["worse"].difference
    assert (difference.name, difference.misses) == ("accuracy less worse's", claims["worse"].flips)
    assert not (claims["equal"].difference >= 0.01)


def test_a_table_of_no_row_in_common_claims_nothing() -> None:
    new, old = models(0, 0, 3)
    with collect_outcomes():
        claims = compare.models(new.without([0, 1, 2]), {"b": old}, classification.right())
    with pytest.raises(Unmeasurable):
        assert claims["b"].difference >= 0.0
    assert claims["b"].difference >= None
