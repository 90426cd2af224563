"""Pairwise: both orders, ties, swap consistency, errors."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judges import YES_NO, first, judge_panel, longer, predictions

from tunegate.interfaces.model import Request
from tunegate_checks.judge import pairwise, prompt
from tunegate_checks.judge.calibration import Calibration, JudgedScore, with_swap_consistency

OURS = ("long answer", "x", "same", "even")
THEIRS = ("short", "longer", "same", "odds")


def told(found: JudgedScore) -> str:
    """Return what the detail says beside the calibration."""
    return found.detail.partition("\n")[2]


def test_wins_ties_and_losses() -> None:
    asked: list[Request] = []
    judge = judge_panel(longer, asked=asked)
    found = pairwise.win_rate(predictions(*OURS), predictions(*THEIRS), judge, YES_NO)
    assert float(found) == 0.5
    assert told(found) == "1 won, 2 tied, 1 lost; swap consistency 100.0% of 3"
    assert [(m.line, m.kind) for m in found.misses or ()] == [(2, "lost")]
    assert len(asked) == 6  # answers that are alike are not asked about


def test_both_orders_are_put_and_nothing_else_differs() -> None:
    asked: list[Request] = []
    pairwise.win_rate(predictions("p"), predictions("q"), judge_panel(longer, asked=asked), YES_NO)
    one, two = (prompt.read_quoted(r.messages[1]["content"])[0] for r in asked)
    assert one == {"question": "question 0", "a": "p", "b": "q"}
    assert two == {"question": "question 0", "a": "q", "b": "p"}
    assert asked[0].messages[0] == asked[1].messages[0]


def test_a_judge_that_likes_the_first_finds_nothing_but_ties() -> None:
    found = pairwise.win_rate(
        predictions("p", "q"), predictions("r", "s"), judge_panel(first), YES_NO
    )
    assert float(found) == 0.5
    assert told(found) == "0 won, 2 tied, 0 lost; swap consistency 0.0% of 2"


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), min_size=1, max_size=6))
def test_who_is_the_candidate_changes_only_the_side(pairs: list[tuple[str, str]]) -> None:
    ours, theirs = (predictions(*side) for side in zip(*pairs, strict=True))
    one = pairwise.win_rate(ours, theirs, judge_panel(longer), YES_NO)
    other = pairwise.win_rate(theirs, ours, judge_panel(longer), YES_NO)
    assert float(one) == pytest.approx(1 - float(other))


def test_errors_are_losses_that_may_be_wins() -> None:
    def breaks(data: dict[str, str]) -> Any:
        return "garbage" if data["a"] == "x" else longer(data)

    ours, theirs = predictions(*OURS, errors=[0]), predictions(*THEIRS, errors=[3])
    found = pairwise.win_rate(ours, theirs, judge_panel(breaks), YES_NO)
    assert (float(found), found.errors, found.best_case) == (0.125, 3, 0.875)
    assert {m.line: m.kind for m in found.misses or ()} == dict.fromkeys((1, 2, 4), "no verdict")


def test_the_majority_of_ballots() -> None:
    judge = judge_panel(longer, longer, first)
    found = pairwise.win_rate(predictions(*OURS), predictions(*THEIRS), judge, YES_NO)
    assert float(found) == 0.5
    assert told(found) == "1 won, 2 tied, 1 lost; swap consistency 66.7% of 9"


def test_only_rows_that_both_have_are_compared() -> None:
    found = pairwise.win_rate(
        predictions("long", "x"), predictions("a", "b").without([1]), judge_panel(longer), YES_NO
    )
    assert (float(found), found.n) == (1, 1)
    assert found.low < 1  # one win is no proof
    nothing = pairwise.win_rate(predictions(), predictions(), judge_panel(longer), YES_NO)
    assert math.isnan(nothing)


def test_a_swayed_judge_may_not_gate() -> None:
    found = pairwise.win_rate(
        predictions("p", "q"), predictions("r", "s"), judge_panel(first), YES_NO
    )
    assert found.advisory
    stayed = pairwise.swap_consistency_score(
        [pairwise.Comparison("tie", consistent=7, compared=10)]
    )
    earned = Calibration("", "kappa 0.90")
    assert with_swap_consistency(earned, stayed, judge_panel(first)).reason == (
        "swap consistency 70.0% of 10, 80% is needed"
    )
    assert not with_swap_consistency(
        earned, stayed, judge_panel(first, swap_consistency=0.7)
    ).reason
