"""Tool calls: names, arguments as JSON values, order, and how many there are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate import Prediction, Predictions
from tunegate.data.canonical import calls_json
from tunegate_checks.model import classification, toolcalls

Call = tuple[str, Any]
WEATHER, DELETE = ("weather", {"city": "Porto", "days": 1}), ("delete_account", {})


def calls(*pairs: Call) -> str:
    made = [{"function": {"name": n, "arguments": json.dumps(a)}} for n, a in pairs]
    return calls_json([{"tool_calls": made}])


def row(expected: str, got: str, text: str = "", **fields: Any) -> Prediction:
    return Prediction(0, 1, "q", "", text, expected_calls=expected, calls=got, fields=fields)


CASES = {
    "another tool": ([WEATHER], [DELETE], "name"),
    "other arguments": ([WEATHER], [("weather", {"city": "Faro", "days": 1})], "arguments"),
    "a number as a text": ([WEATHER], [("weather", {"city": "Porto", "days": "1"})], "arguments"),
    "an argument more": ([WEATHER], [("weather", {**WEATHER[1], "x": 0})], "arguments"),
    "no call": ([WEATHER], [], "missing call"),
    "one of two": ([WEATHER, DELETE], [WEATHER], "missing call"),
    "one more": ([WEATHER], [WEATHER, DELETE], "extra call"),
    "the same twice": ([WEATHER], [WEATHER, WEATHER], "extra call"),
    "a call where text is expected": ([], [DELETE], "extra call"),
    "another order": ([WEATHER, DELETE], [DELETE, WEATHER], "order"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_named(name: str) -> None:
    expected, got, kind = CASES[name]
    predictions = Predictions([row(calls(*expected), calls(*got))])
    score = toolcalls.accuracy(predictions)
    assert (score.hits, score.n) == (0, 1)
    assert score.misses is not None
    assert [f.kind for f in score.misses] == [kind]
    assert classification.accuracy(predictions) == 0


def test_equal_json_values_are_right() -> None:
    got = calls(("weather", {"days": 1.0, "city": "Porto"}))
    predictions = Predictions([row(calls(WEATHER), got, "Let me see.")])
    assert toolcalls.accuracy(predictions) == classification.accuracy(predictions) == 1


@pytest.mark.parametrize(("said", "meant"), [(0, False), (True, 1), ([0], [False])])
def test_a_truth_is_no_number(said: object, meant: object) -> None:
    for a, b in ((said, meant), (meant, said)):
        answered = row(calls(("set", {"value": a})), calls(("set", {"value": b})))
        score = toolcalls.accuracy(Predictions([answered]))
        assert score == 0
        assert [f.kind for f in score.misses] == ["arguments"]


LEAVES = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "0", "x"])
VALUES = LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(st.sampled_from("kl"), LEAVES)
ARGUMENTS = st.dictionaries(st.sampled_from("kl"), VALUES, max_size=2)
CALLS = st.lists(st.tuples(st.sampled_from("ab"), ARGUMENTS), max_size=2)


@given(CALLS, CALLS)
def test_only_the_same_calls_are_right(expected: list[Call], got: list[Call]) -> None:
    score = toolcalls.accuracy(Predictions([row(calls(*expected), calls(*got), tools=[{}])]))
    assert (score == 1) == (calls(*expected) == calls(*got))


def test_the_rows_are_those_with_calls_or_tools() -> None:
    text = row("", "", "hi")
    assert toolcalls.accuracy(Predictions([text])).not_applicable
    score = toolcalls.accuracy(Predictions([text, row("", "", "hi", tools=[{}])]))
    assert (score.hits, score.n) == (1, 1)


def test_an_answer_that_could_not_be_had_may_be_right() -> None:
    lost = Prediction(0, 1, "q", "", "", error="timeout", expected_calls=calls(WEATHER))
    score = toolcalls.accuracy(Predictions([lost, row(calls(WEATHER), calls(WEATHER))]))
    assert (score, score.best_case, score.errors) == (0.5, 1, 1)
