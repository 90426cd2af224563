"""A judge's score: advisory until the judge has earned more."""

from __future__ import annotations

import pickle

import pytest

from tunegate import Unmeasurable
from tunegate.results.outcome import collect_outcomes
from tunegate.results.score import proportion
from tunegate_checks.judge.calibration import Calibration, JudgedScore

SCORE = proportion("judge (support)", 8, 10, signature="toy")
ADVISORY = JudgedScore.of(SCORE, Calibration("no human labels"))
EARNED = JudgedScore.of(SCORE, Calibration("", "kappa 0.80"))


def test_one_that_has_earned_it_gates() -> None:
    assert not EARNED.advisory
    assert EARNED >= 0.8
    assert not EARNED >= 0.9
    assert (EARNED.name, EARNED.signature) == ("judge (support)", "kappa 0.80|toy")


def test_an_advisory_one_can_neither_open_nor_close_a_gate() -> None:
    for limit in (0.1, 0.9):
        with pytest.raises(Unmeasurable, match="no limit can be held to it\nno human labels"):
            assert ADVISORY >= limit  # noqa: SIM300 (it is no constant)
    assert (ADVISORY.name, ADVISORY.signature) == (
        "judge (support), advisory",
        "advisory: no human labels|toy",
    )


def test_asking_leaves_the_score_and_the_reason_in_the_ledger() -> None:
    with collect_outcomes() as ledger:
        assert ADVISORY.advisory or ADVISORY >= 0.9
        assert EARNED.advisory or EARNED >= 0.7
    advisory, earned = (judgement.to_dict() for judgement in ledger)
    assert (advisory["held"], advisory["limit"], advisory["value"]) == (True, None, 0.8)
    assert advisory["hints"] == ["gates nothing: no human labels"]
    assert (earned["held"], earned["limit"]) == (True, 0.7)


def test_its_lower_bound_has_the_same_calibration() -> None:
    assert ADVISORY.by("lower").advisory
    with pytest.raises(Unmeasurable):
        assert ADVISORY.by("lower") >= 0.1
    by_point = EARNED.by("point")
    assert (type(by_point), by_point.calibration) == (JudgedScore, EARNED.calibration)
    assert float(by_point) == 0.8
    assert float(EARNED.by("lower")) < 0.8


def test_scores_are_compared_as_numbers() -> None:
    assert not ADVISORY > EARNED


def test_it_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(ADVISORY))
    assert (type(again), again.calibration, again.hits) == (JudgedScore, ADVISORY.calibration, 8)
