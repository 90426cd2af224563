"""Forgetting: held to a margin by the lower bound, not by luck."""

from __future__ import annotations

import pytest
from asking import Asked, tickets

from tunegate import Predictions, Unmeasurable
from tunegate_checks.model import improvement

GENERAL = tickets([(f"What is {i} + 1?", str(i + 1)) for i in range(100)], "general")


def knows(n: int) -> Predictions:
    """Return the answers of a model that knows the first n, and no others."""

    def reply(text: str) -> str:
        number = int(text.split()[2])
        return str(number + 1) if number < n else "billing"

    return Asked(reply).of(GENERAL)


@pytest.mark.parametrize(("n", "kept"), [(90, True), (89, True), (80, False), (0, False)])
def test_what_is_lost_must_stay_within_the_margin(n: int, kept: bool) -> None:
    score = improvement.change(knows(n), knows(90))
    assert float(score) == pytest.approx((n - 90) / 100)
    assert (score.by("lower") >= -0.05) is kept


def test_too_small_a_set_shows_nothing() -> None:
    few = [Predictions(list(knows(100))[:58]) for _ in range(2)]
    with pytest.raises(Unmeasurable, match="at n = 58: at least 59 rows are needed"):
        assert improvement.change(*few).by("lower") >= -0.05
    enough = [Predictions(list(knows(100))[:59]) for _ in range(2)]
    assert improvement.change(*enough).by("lower") >= -0.05


def test_it_says_what_was_forgotten() -> None:
    score = improvement.change(knows(89), knows(90))
    assert score.misses is not None
    assert [f.line for f in score.misses] == [90]
    assert "before 90 of 100; 0 gained, 1 lost" in score.signature


def test_missing_answers_may_decide() -> None:
    def late(text: str) -> str:
        if int(text.split()[2]) < 10:
            raise TimeoutError("429")
        return str(int(text.split()[2]) + 1)

    now = Asked(late).of(GENERAL)
    with pytest.raises(Unmeasurable):
        assert improvement.change(now, knows(100)).by("lower") >= -0.05


def test_where_nobody_could_be_asked_nothing_was_measured() -> None:
    score = improvement.change(Predictions([]), knows(100))
    with pytest.raises(Unmeasurable, match="nothing was asked"):
        assert score.by("lower") >= -0.05
