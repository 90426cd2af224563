"""Votes: majorities, ties, and ballots that are missing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judges import SCALE, YES_NO

from tunegate_checks.judge import ballots
from tunegate_checks.judge.ballots import Vote
from tunegate_checks.judge.rubric import Marks

VOTE = st.sampled_from(["a", "b", "tie", None])


def cast(*scores: int | None) -> list[Vote[Marks]]:
    return [Vote(None if s is None else {"score": s}) for s in scores]


def said(*polite: bool | None) -> list[Vote[Marks]]:
    return [Vote(None if p is None else {"polite": p, "helpful": True}) for p in polite]


@pytest.mark.parametrize(
    ("polite", "made"),
    [
        ((True,), True),
        ((True, True, False), True),
        ((True, False), False),  # a tie is not a majority
        ((True, True, None), True),  # it cannot change that
        ((True, False, None), None),
        ((None,), None),
    ],
)
def test_criteria(polite: tuple[bool | None, ...], made: bool | None) -> None:
    expected = None if made is None else {"polite": made, "helpful": True}
    assert ballots.majority_marks(said(*polite), YES_NO) == expected


@pytest.mark.parametrize(
    ("scores", "made"),
    [((4,), 4), ((1, 4, 5), 4), ((3, 4), 3), ((4, 4, None), 4), ((3, 5, None), None)],
)
def test_a_scale_takes_the_median(scores: tuple[int | None, ...], made: int | None) -> None:
    assert ballots.majority_marks(cast(*scores), SCALE) == (
        None if made is None else {"score": made}
    )


@given(st.lists(st.integers(1, 5) | st.none(), min_size=1, max_size=7), st.integers(1, 5))
def test_what_was_missing_could_not_have_changed_it(scores: list[int | None], filled: int) -> None:
    made = ballots.majority_marks(cast(*scores), SCALE)
    if made is not None:
        whole = [filled if s is None else s for s in scores]
        assert ballots.majority_marks(cast(*whole), SCALE) == made


@given(st.lists(VOTE, min_size=1, max_size=7), st.sampled_from(["a", "b", "tie"]))
def test_nor_who_wins(cast: list[str | None], filled: str) -> None:
    made = ballots.plurality_side(cast)
    if made is not None:
        assert ballots.plurality_side([vote or filled for vote in cast]) == made


def test_who_wins() -> None:
    assert ballots.plurality_side(["a", "a", "b"]) == "a"
    assert ballots.plurality_side(["a", "b"]) == "tie"
    assert ballots.plurality_side(["a", "tie", "tie"]) == "tie"
    assert ballots.plurality_side(["b", "b", None]) == "b"
    assert ballots.plurality_side(["a", None]) is None


def test_agreement() -> None:
    assert ballots.agreement([[True, True, False], [True, True, True]]) == pytest.approx(4 / 6)
    assert math.isnan(ballots.agreement([[True], []]))
