"""Repeated answers: pass^k <= majority <= pass@k, whatever was answered."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from predicted import predicted

from tunegate import Predictions
from tunegate.results.outcome import collect_outcomes
from tunegate.results.score import Unmeasurable
from tunegate_checks.model import classification, repeats


def rounds(*answers: Sequence[str], errors: Sequence[Sequence[int]] = ()) -> Predictions:
    """Return predictions of questions whose answer is "a", one list of answers a repetition."""
    return Predictions.repeated(
        [
            predicted([("a", got) for got in of_time], errors[i] if errors else ())
            for i, of_time in enumerate(answers)
        ]
    )


@given(st.integers(1, 6), st.integers(2, 5), st.data())
def test_the_order_of_the_three(n: int, k: int, data: st.DataObject) -> None:
    one = st.lists(st.sampled_from("abc"), min_size=n, max_size=n)
    times = [data.draw(one) for _ in range(k)]
    answers = rounds(*times)
    all_right = repeats.pass_hat_k(answers)
    most, one_right = repeats.majority(answers), repeats.pass_at_k(answers)
    columns = [*zip(*times, strict=True)]
    assert one_right.hits == sum("a" in row for row in columns)
    assert all_right.hits == sum(set(row) == {"a"} for row in columns)
    assert float(all_right) <= float(most) <= float(one_right)
    more_than_half = sum(row.count("a") * 2 > k for row in columns)
    assert more_than_half <= (most.hits or 0)


def test_of_equals_the_first_given_counts() -> None:
    assert repeats.majority(rounds("ab", "ba")).hits == 1
    assert repeats.majority(rounds("abb", "aab", "bba")).hits == 1


def test_the_names_say_how_often_and_the_misses_which() -> None:
    score = repeats.pass_hat_k(rounds("aab", "abb"))
    assert (score.name, score.hits, score.n) == ("pass^2", 1, 3)
    assert score.misses is not None
    assert [(f.row, f.kind) for f in score.misses] == [(1, "1 right"), (2, "0 right")]
    assert repeats.pass_at_k(rounds("a", "a", "b")).name == "pass@3"


def test_a_missing_answer_that_could_decide_is_unmeasurable() -> None:
    answers = rounds("aa", "aa", errors=[(), (1,)])
    score = repeats.pass_hat_k(answers)
    assert (score.hits, score.errors, score.best_case) == (1, 1, 1.0)
    with pytest.raises(Unmeasurable):
        assert score >= 0.9
    assert repeats.pass_at_k(answers).errors == 0  # it is right already


def test_rows_that_are_set_apart_are_so_in_each_repetition() -> None:
    kept = rounds("ab", "aa").without([1])
    assert repeats.pass_hat_k(kept).n == 1
    assert [len(r) for r in kept.repetitions] == [1, 1]


def test_asked_once_there_is_nothing_to_judge() -> None:
    once = rounds("ab")
    assert once.repetitions == ()
    for score in (repeats.pass_at_k(once), repeats.pass_hat_k(once), repeats.majority(once)):
        assert score.not_applicable
        assert score >= 0.99
    with collect_outcomes() as outcomes:
        repeats.spread(once, classification.right())
    assert not outcomes


def test_the_spread_is_a_table() -> None:
    with collect_outcomes() as outcomes:
        repeats.spread(rounds("ab", "aa", "bb"), classification.right())
    (table,) = outcomes
    assert table.name == "over 3 repetitions"
    head, row = table.data["table"]
    assert head == ["score", "min", "median", "max"]
    assert row == ["accuracy", "0.0%", "50.0%", "100.0%"]
