"""A metric of one's own has what every score has: interval, bound, errors, signature."""

import pytest
from predicted import predicted

from tunegate import Unmeasurable
from tunegate_checks.model.metric import mean

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
    assert score >= 0.4
    with pytest.raises(Unmeasurable):
        assert score >= 0.48


def test_of_nothing_there_is_no_score() -> None:
    with pytest.raises(Unmeasurable, match=r"short could not be measured \(n = 0\)"):
        assert short(predicted([])) >= 0
