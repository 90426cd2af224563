"""Asking until it is decided: whole batches, in one order, and what is said of the rows left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from counting import Counting, dataset

from tunegate import Predictions
from tunegate.models.evaluation import kept_predictions
from tunegate.models.predict import predict, predict_until
from tunegate.results.session_results import asked_in_words
from tunegate.storage.state_dir import StateDir


class Decides:
    """A rule that decides at a look, and notes how many rows it was shown."""

    def __init__(self, look: int, passed: bool = False) -> None:
        self.look, self.passed, self.seen = look, passed, list[int]()

    def __call__(
        self, so_far: Predictions, looks: Sequence[Collection[int]], look: int
    ) -> tuple[bool, str] | None:
        assert {p.row for p in so_far} == looks[look]
        self.seen.append(len(so_far))
        return (self.passed, f"look {look}") if look >= self.look else None


def ask(
    tmp_path: Path, model: Counting, *rules: Decides, n: int = 100, may_pass: bool = True
) -> tuple[Predictions, dict[str, Any]]:
    return predict_until(model, dataset(n), StateDir(tmp_path), rules, may_pass)


def test_a_fail_ends_it_and_the_rest_is_not_asked(tmp_path: Path) -> None:
    model, rule = Counting(), Decides(1)
    predictions, card = ask(tmp_path, model, Decides(9), rule)
    assert rule.seen == [20, 40]
    assert len(predictions) == len(model.asked) == 40
    stop = card["stopped"]
    assert (stop["rows"], stop["of"], stop["looks"], stop["passed"]) == (40, 100, 2, False)
    assert stop["why"] == ["look 1"]
    order = f"stopped early, order {stop['seed']}, look 2"
    said = f"40 of 100 test rows, 60 not asked ({order}): never promotable; look 1"
    assert asked_in_words(card) == said


@pytest.mark.parametrize(
    ("looks", "may_pass", "rows"), [((0, 2), True, 60), ((0, 2), False, 100), ((0, 9), True, 100)]
)
def test_a_pass_takes_all_rules_and_a_test_set_that_may(
    looks: tuple[int, int], may_pass: bool, rows: int, tmp_path: Path
) -> None:
    rules = [Decides(look, passed=True) for look in looks]
    predictions, card = ask(tmp_path, Counting(), *rules, may_pass=may_pass)
    assert len(predictions) == rows
    assert card.get("stopped", {}).get("passed", rows == 100)


def test_all_rows_are_those_of_predict_and_no_rule_looks_at_them(tmp_path: Path) -> None:
    rule = Decides(99)
    predictions, card = ask(tmp_path, Counting(), rule, n=50)
    assert [*predictions] == [*predict(Counting(), dataset(50), StateDir(tmp_path))]
    assert (card, rule.seen) == ({}, [20, 40])


def test_a_missing_answer_is_asked_once_a_session_and_a_rerun_goes_on(tmp_path: Path) -> None:
    model = Counting(*range(100))
    ask(tmp_path, model, Decides(9))
    assert sorted(model.asked) == [*range(100)]
    first, again = Counting(), Counting()
    ask(tmp_path, first, Decides(1))
    ask(tmp_path, again, Decides(2))
    assert (len(first.asked), len(again.asked)) == (40, 20)  # in the same order


def test_the_order_hangs_on_test_set_and_model(tmp_path: Path) -> None:
    other = Counting()
    other.digest = "e" * 64
    orders = [ask(tmp_path, model, Decides(0))[1]["stopped"] for model in (Counting(), other)]
    assert orders[0]["seed"] != orders[1]["seed"]
    rows = [{e.row for e in dataset(100).drawn(20, stop["seed"])} for stop in orders]
    assert rows[0] != rows[1]
    assert rows[0] != {*range(20)}


def test_a_large_test_set_has_fifty_looks(tmp_path: Path) -> None:
    rule = Decides(0)
    ask(tmp_path, Counting(), rule, n=2_000)
    assert rule.seen == [40]


def test_what_a_scorecard_is_about_is_found_again(tmp_path: Path) -> None:
    predictions, card = ask(tmp_path, Counting(), Decides(0))
    run: Any = SimpleNamespace(state=StateDir(tmp_path), spec="counting")
    kept = kept_predictions(run, {"model_digest": "d" * 64, **card}, dataset(100))
    assert kept is not None
    assert [*kept] == [*predictions]
