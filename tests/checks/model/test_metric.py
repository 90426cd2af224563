"""A metric of one's own has what every score has: interval, bound, errors, signature."""

import pytest
from predicted import predicted

from tunegate import Finding, Findings, Prediction, Predictions, Unmeasurable
from tunegate_checks.model.metric import mean, with_errors_right

short = mean("short", lambda p: 0.0 if p.error else 1 / (1 + len(p.got)), signature="1/(1+letters)")


def test_a_mean_over_the_examples() -> None:
    score = short(predicted([("", "a"), ("", "aaa")] * 20))
    assert float(score) == pytest.approx(0.375)
    assert (score.name, score.n, score.signature) == ("short", 40, "1/(1+letters)")
    assert 0.25 < score.low < (score.lower or 0) < score.high < 0.5
    assert score.hits is None


def test_errors_decide_nothing() -> None:
    score = short(predicted([("a", "a")] * 20, errors=(0, 1)))
    assert (float(score), score.best_case) == pytest.approx((0.45, 0.5))
    assert (score.errors, score.signature) == (2, "1/(1+letters)")
    assert score >= 0.4
    with pytest.raises(Unmeasurable):
        assert score >= 0.48


def test_the_bounds_with_every_error_right_are_those_of_the_right_answers() -> None:
    rows = [("a", "a"), ("a", "aaa")] * 20
    whole, parted = short(predicted(rows)), short(predicted(rows, errors=(0, 2)))
    best = parted.best_case_lower, parted.best_case, parted.best_case_upper
    assert best == pytest.approx((whole.lower, whole.estimate, whole.upper))
    assert (parted.lower or 0) < (whole.lower or 0) == whole.best_case_lower
    for score in (whole, parted):
        bounds = (score.low, score.lower or 0, score.estimate, score.upper or 0, score.high)
        assert [*bounds] == sorted({*bounds})


def test_an_error_counted_as_right_has_the_text_and_the_calls_that_were_expected() -> None:
    calls = '[{"name": "f", "arguments": {}}]'
    lost = Prediction(0, 1, "q", "a", "", error="timeout", expected_calls=calls)
    answered = Prediction(1, 2, "q", "a", "b", expected_calls=calls)
    best = with_errors_right(Predictions([lost, answered], model="m", test="t"))
    assert [(p.got, p.calls, p.error) for p in best] == [("a", calls, ""), ("b", "", "")]
    assert (best.model, best.test, [p.right for p in best]) == ("m", "t", [True, False])


one = mean("one", lambda p: float(p.right))


def test_the_quantiles_are_those_of_the_binomial_that_the_bootstrap_draws_from() -> None:
    from scipy.stats import binom

    score = one(predicted([("a", "a"), ("a", "b")] * 200))
    known = binom.ppf([0.025, 0.05, 0.975], 400, 0.5) / 400
    assert (score.low, score.lower, score.high) == pytest.approx(tuple(known), abs=2.5 / 400)


@pytest.mark.parametrize("n", [1, 59, 60])
def test_what_is_all_right_has_the_exact_bounds(n: int) -> None:
    score = one(predicted([("a", "a")] * n))
    assert (score.low, score.lower, score.high) == pytest.approx(
        (0.025 ** (1 / n), 0.05 ** (1 / n), 1)
    )
    assert float(score) == 1


def test_what_is_all_wrong_is_no_certainty_either() -> None:
    score = one(predicted([("a", "b")] * 60))
    known = pytest.approx((0, 0, 1 - 0.025 ** (1 / 60)))
    assert (score.low, score.lower, score.high) == known
    score = short(predicted([("a", "aa")] * 60))
    assert float(score) == pytest.approx(1 / 3)
    assert 0.3 < score.low < (score.lower or 0) < float(score) < score.high < 0.4


def test_misses_and_detail_are_those_that_the_metric_makes() -> None:
    wrong = Findings("wrong", [Finding(0, 1, "a", "got b")])
    told = mean("told", lambda p: 1.0, misses=lambda _: wrong, detail=lambda p: f"{len(p)} rows")
    score = told(predicted([("a", "b")] * 3))
    assert (score.misses, score.detail) == (wrong, "3 rows")
    assert (one(predicted([("a", "b")])).misses, repr(one)) == (None, "<one>")


def test_of_nothing_there_is_no_score() -> None:
    with pytest.raises(Unmeasurable, match=r"short could not be measured \(n = 0\)"):
        assert short(predicted([])) >= 0
