"""The rule of accuracy decides as all rows would, whatever the mode, and says why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate import Dataset
from tunegate.config.schema import Limits
from tunegate.data.dataset import Reading
from tunegate.results.labels import exact
from tunegate.results.outcome import Mode
from tunegate.results.prediction import Prediction, Predictions
from tunegate.results.score import Score
from tunegate_checks.model import classification, compare
from tunegate_checks.model.stopping import (
    ALPHA_LEFT,
    Accuracy,
    BetterThanBaseline,
    NoWorseThanIncumbent,
)

N = 240
ROWS = [{"prompt": f"question {i}", "completion": "a", "user": f"user {i}"} for i in range(N)]
ROWS[0]["user"] = "one"
TEST = Dataset.of(ROWS, "test", reading=Reading(group_by=("user",)))
LOOKS = [frozenset(range(t)) for t in (*range(20, N, 20), N)]


def predictions(wrong: set[int], n: int, errors: frozenset[int] = frozenset()) -> Predictions:
    return Predictions(
        [
            Prediction(i, i + 1, f"q{i}", "a", "b" if i in wrong else "a",
                       error="timeout" if i in errors else "")
            for i in range(n)
        ]
    )  # fmt: skip


def rule(
    mode: Mode = "point",
    near: tuple[int, ...] = (),
    certain: bool = False,
    test: Dataset = TEST,
    limit: float = 0.95,
) -> Accuracy:
    return Accuracy(test, near, exact, Limits(accuracy=limit, mode=mode), certain)


def decide(of: Accuracy, wrong: set[int], look: int, **facts: object) -> tuple[bool, str] | None:
    return of(predictions(wrong, len(LOOKS[look]), **facts), LOOKS, look)  # type: ignore[arg-type]


def test_it_says_what_was_counted_and_how_sure_it_is() -> None:
    certain, sequential = rule(certain=True), rule()
    assert decide(certain, {*range(12)}, 0) is None
    assert decide(certain, {*range(13)}, 0) == (
        False,
        "accuracy >= 0.95 (point) fails early: 13 of 20 wrong, 11.3% to 65.8% right of all 240; "
        "no other answer could change it (rule 1)",
    )
    assert decide(sequential, {0, 1}, 0) is None
    passed, why = decide(sequential, {*range(6)}, 0) or (None, "")
    assert passed is False
    assert why.endswith("; all 240 would say otherwise: 5% at most (rule 1)")
    passed, why = decide(sequential, set(), 9) or (None, "")
    assert passed is True
    assert "(point) passes early: 0 of 200 wrong" in why
    assert why.endswith("; all 240 would say otherwise: 1% at most (rule 1)")
    assert decide(certain, set(), 9) is None
    passed, why = decide(rule("lower"), set(), 7) or (None, "")
    assert passed is True
    assert why.endswith("; above 0.95, 95 % sure (rule 1)")


def test_missing_answers_count_against_each_verdict() -> None:
    wrong = {*range(13)}
    assert decide(rule(certain=True), wrong, 0, errors=frozenset(wrong)) is None
    assert decide(rule(), set(), 9, errors=frozenset()) is not None
    assert decide(rule(), {0, 1, 2, 3, 4, 5, 6}, 9, errors=frozenset(range(7))) is None


def test_near_rows_do_not_count() -> None:
    near = (*range(13),)
    assert decide(rule(near=near), {*near}, 0) is None
    assert decide(rule(near=near), {13, 14, 15, 16, 17, 18}, 1) is not None


@pytest.mark.parametrize("fields", [{"user": "one"}, {"prompt": "question 0"}])
def test_rows_that_are_not_independent_decide_nothing_in_lower_mode(fields: Any) -> None:
    test = Dataset.of([*ROWS[:-1], ROWS[-1] | fields], "test", reading=Reading(group_by=("user",)))
    wrong = {*range(19)}
    assert decide(rule("lower", test=test), wrong, 0) is None
    assert decide(rule("lower"), wrong, 0) is not None
    assert decide(rule("point", test=test), wrong, 0) is not None


def test_where_there_is_nothing_to_count_nothing_is_decided() -> None:
    assert decide(rule(near=(*range(20),)), set(), 0) is None
    assert decide(rule("lower", limit=0.99), set(), 0) is None  # no 240 rows can show 99 %


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["point", "lower"]), st.integers(0, 12), st.integers(0, 99))
def test_what_is_certain_is_what_the_test_says_of_all_rows(
    mode: Mode, wrong: int, seed: int
) -> None:
    rows = {*np.random.default_rng(seed).choice(N, wrong, replace=False).tolist()}
    of, limits = rule(mode, certain=True), Limits(accuracy=0.95, mode=mode)
    decisions = [decide(of, rows & LOOKS[look], look) for look in range(len(LOOKS) - 1)]
    score: Score = classification.accuracy(predictions(rows, N))
    held = score >= limits.accuracy
    assert {passed for passed, _ in filter(None, decisions)} <= {held}


@pytest.mark.parametrize("mode", ["point", "lower"])
def test_who_passes_early_passes_the_test_on_the_rows_so_far(mode: Mode) -> None:
    limits = Limits(accuracy=0.95, mode=mode)
    for look, rows in enumerate(LOOKS[:-1]):
        for wrong in range(12):
            if (decide(rule(mode), {*range(wrong)}, look) or (False,))[0]:
                so_far = predictions({*range(wrong)}, len(rows))
                assert classification.accuracy(so_far) >= limits.accuracy


def better(baseline: Predictions | None, certain: bool = False) -> BetterThanBaseline:
    return BetterThanBaseline(TEST, (), exact, certain, baseline)


def no_worse(incumbent: Predictions | None) -> NoWorseThanIncumbent:
    return NoWorseThanIncumbent(TEST, (), exact, False, incumbent, Limits(margin=0.03))


def test_a_gain_is_shown_early_and_a_loss_is_given_up() -> None:
    bad, good = predictions({*range(0, N, 4)}, N), predictions(set(), N)
    assert better(bad)(predictions(set(), 20), LOOKS, 0) is None
    passed, why = better(bad)(predictions(set(), 100), LOOKS, 4) or (None, "")
    assert passed is True
    assert why == (
        "better passes early: 25 gained, 0 lost on 100 of 240; wrong in 1% at most (rule 1)"
    )
    passed, why = better(good)(predictions({*range(0, 40, 4)}, 40), LOOKS, 1) or (None, "")
    assert passed is False
    assert why == (
        "better is not shown, fails early: 0 gained, 10 lost on 40 of 240; "
        "of models 3 points better 5% at most (rule 1)"
    )
    assert better(None)(predictions(set(), 100), LOOKS, 4) is None


def test_no_loss_is_shown_early_and_a_loss_is_given_up() -> None:
    some, good = predictions({*range(0, N, 9)}, N), predictions(set(), N)
    passed, why = no_worse(some)(predictions(set(), 160), LOOKS, 7) or (None, "")
    assert passed is True
    assert why.startswith("not worse by 0.03 passes early: 18 gained, 0 lost on 160 of 240")
    passed, why = no_worse(good)(predictions({*range(0, 60, 5)}, 60), LOOKS, 2) or (None, "")
    assert passed is False
    assert why.endswith("of models as good 5% at most (rule 1)")
    assert no_worse(good)(predictions(set(), 20), LOOKS, 0) is None


def test_missing_answers_count_against_each_claim() -> None:
    bad, lost = predictions({*range(0, N, 4)}, N), frozenset(range(0, 100, 4))
    assert better(bad)(predictions(set(), 100, lost), LOOKS, 4) is None
    good = predictions(set(), N)
    assert better(good)(predictions({*lost}, 100, lost), LOOKS, 4) is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 99))
def test_what_is_certain_of_two_models_is_what_all_rows_say(
    gains: int, losses: int, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(N).tolist()
    base = predictions({*order[:gains]}, N)
    wrong = {*order[gains : gains + losses]}
    of = better(base, certain=True)
    decisions = [
        of(predictions({*wrong} & LOOKS[look], len(LOOKS[look])), LOOKS, look)
        for look in range(len(LOOKS) - 1)
    ]
    holds = compare.superior(predictions(wrong, N), base, alpha=ALPHA_LEFT).holds()
    assert {passed for passed, _ in filter(None, decisions)} <= {holds}
