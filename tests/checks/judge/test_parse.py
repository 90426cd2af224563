"""A judge's answer: what is read, and what is wrong with the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judges import SCALE, YES_NO

from tunegate_checks.judge import parse
from tunegate_checks.judge.parse import UnusableAnswer
from tunegate_checks.judge.prompt import grading_schema

GOOD = '{"reason": "ok", "verdicts": {"polite": true, "helpful": false}}'


def test_what_is_read() -> None:
    assert parse.parse_marks(GOOD, YES_NO) == ({"polite": True, "helpful": False}, "ok")
    assert parse.parse_marks('{"score": 4, "reason": "r"}', SCALE) == ({"score": 4}, "r")
    assert parse.parse_better('{"reason": "r", "better": "tie"}') == ("tie", "r")


@pytest.mark.parametrize("around", ["```json\n{}\n```", "```\n{}\n```\n", "\n {} \n"])
def test_a_code_block_around_it_is_no_harm(around: str) -> None:
    assert parse.parse_marks(around.replace("{}", GOOD), YES_NO)[1] == "ok"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("It is polite.", "not JSON"),
        (f"Sure! {GOOD}", "not JSON"),
        (f"{GOOD} {GOOD}", "something follows the value"),
        (GOOD[:-1], "is the row cut off?"),
        ("[]", "the answer is []; an object"),
        (GOOD.replace("true", '"yes"'), "verdicts.polite is 'yes'; valid: true, false"),
        (GOOD.replace("true", "1"), "verdicts.polite is 1"),
        (GOOD.replace('"polite"', '"kind"'), "verdicts lacks 'polite'"),
        (GOOD.replace('{"polite', '{"x": 1, "polite'), "verdicts holds 'x' too"),
        (GOOD.replace('"reason"', '"why"'), "the answer lacks 'reason'"),
        (GOOD.replace('"ok"', "null"), "reason is None; a text is needed"),
        (GOOD.replace('"helpful"', '"polite"'), "stands twice"),
    ],
)
def test_what_is_not(text: str, why: str) -> None:
    with pytest.raises(UnusableAnswer) as error:
        parse.parse_marks(text, YES_NO)
    assert why in str(error.value)


@pytest.mark.parametrize("score", ["0", "6", "4.0", "4.5", '"4"', "true", "null", "1e3", "NaN"])
def test_scores_off_the_scale(score: str) -> None:
    with pytest.raises(UnusableAnswer):
        parse.parse_marks(f'{{"reason": "r", "score": {score}}}', SCALE)


def test_neither_of_them_is_better() -> None:
    with pytest.raises(UnusableAnswer, match="better is 'A'; valid: a, b, tie"):
        parse.parse_better('{"reason": "r", "better": "A"}')


@given(
    st.text()
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps)
)
def test_nothing_else_escapes(text: str) -> None:
    for read in (lambda t: parse.parse_marks(t, YES_NO), parse.parse_better):
        with pytest.raises(UnusableAnswer):
            read(text)


def test_the_schema_says_what_is_read() -> None:
    form = grading_schema(YES_NO)
    assert form["required"] == ["reason", "verdicts"]
    assert form["properties"]["verdicts"]["required"] == ["polite", "helpful"]
    assert grading_schema(SCALE)["properties"]["score"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 5,
    }
