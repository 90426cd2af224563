"""A limit that was not set holds nothing and shows the score; nothing to judge is one line."""

from __future__ import annotations

import json
import math
import pickle

import pytest

from tunegate import Score, Unmeasurable
from tunegate.reporting import terminal
from tunegate.results.outcome import collect_outcomes
from tunegate.results.score import not_applicable_score, proportion


@pytest.mark.parametrize("value", [0.3, math.nan, math.inf])  # NaN: a judge that never answered
def test_without_a_limit_every_score_holds_and_is_recorded(value: float) -> None:
    with collect_outcomes() as ledger:
        assert Score(value, name="latency", n=4, hints=["why"]) <= None
    (entry,) = ledger
    assert (entry.passed, entry.data["limit"]) == (True, None)
    told, silent = (entry.data[key] for key in ("hints", "idle"))
    assert (told, silent) == (["why"], [])
    assert json.loads(json.dumps(entry.to_dict(), allow_nan=False))["name"] == "latency"


def test_it_is_shown_all_the_same() -> None:
    with collect_outcomes() as ledger:
        assert proportion("flip rate", 3, 20, higher_is_better=False) <= None
    (row,) = terminal.scores_table([entry.to_dict() for entry in ledger])[1:]
    assert row.split() == ["flip", "rate", "15.0%", "5.2%", "-", "36.0%", "none", "set", "20"]


def test_a_limit_that_was_set_still_needs_a_measurement() -> None:
    with pytest.raises(Unmeasurable, match=r"could not be measured.*\nnobody told"):
        assert Score(math.nan, name="cost", hints=["nobody told"]) <= 3


@pytest.mark.parametrize("copy", [lambda s: s, lambda s: s.by("lower")], ids=["itself", "lower"])
def test_nothing_to_judge_holds_any_limit_and_says_why(copy: object) -> None:
    score = pickle.loads(pickle.dumps(not_applicable_score("kept", "no general set")))
    with collect_outcomes() as ledger:
        assert copy(score) >= 0.9  # type: ignore[operator]
        assert copy(score) <= 0.1  # type: ignore[operator]
    assert all(entry.passed and entry.data["idle"] == ["no general set"] for entry in ledger)
    passed = {"suites/model/test_memory.py::test_it": [entry.to_dict() for entry in ledger]}
    one_line = ["nothing to judge: 1 test of memory (see -v)"]
    assert list(terminal.session_summary(passed)) == [("hints", one_line)]
    said = [f"{ledger[0].name}: no general set"]
    assert list(terminal.session_summary(passed, verbose=True)) == [("hints", said)]


def test_what_there_was_nothing_to_judge_of_takes_one_line() -> None:
    idle = {"name": "latency", "split": "", "hints": [], "idle": ["nobody measured"]}
    files = ("memory", "overfitting", "robustness", "speed")
    passed = {f"suites/model/test_{name}.py::test_{i}": [idle] for name in files for i in range(3)}
    told = "nothing to judge: 12 tests of memory, overfitting, robustness, speed (see -v)"
    assert list(terminal.session_summary(passed)) == [("hints", [told])]
    assert len(told) <= terminal.WIDTH
