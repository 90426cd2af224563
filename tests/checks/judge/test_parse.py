"""A judge's answer: what is read, and what is wrong with the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judges import SCALE, YES_NO

from tunegate_checks.judge import ballots
from tunegate_checks.judge.ballots import UnusableAnswer
from tunegate_checks.judge.prompt import grading_schema

GOOD = '{"reason": "ok", "verdicts": {"polite": true, "helpful": false}}'


def test_what_is_read() -> None:
    assert ballots.parse_marks(GOOD, YES_NO) == ({"polite": True, "helpful": False}, "ok")
    assert ballots.parse_marks('{"score": 4, "reason": "r"}', SCALE) == ({"score": 4}, "r")
    assert ballots.parse_better('{"reason": "r", "better": "tie"}') == ("tie", "r")


@pytest.mark.parametrize("around", ["```json\n{}\n```", "```\n{}\n```\n", "\n {} \n"])
def test_a_code_block_around_it_is_no_harm(around: str) -> None:
    assert ballots.parse_marks(around.replace("{}", GOOD), YES_NO)[1] == "ok"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("It is polite.", "not JSON"),
        (f"{GOOD} {GOOD.replace('true', 'false')}", "2 objects with verdicts that differ"),
        (f"<think>It is polite. {GOOD}", "not JSON"),  # cut off while it thought
        (GOOD[:-1], "is the row cut off?"),
        ("[]", "the answer is []; an object"),
        (GOOD.replace("true", '"maybe"'), "verdicts.polite is 'maybe'; valid: true, false"),
        (GOOD.replace("true", "2"), "verdicts.polite is 2"),
        (GOOD.replace("true", "null"), "verdicts.polite is None"),
        (GOOD.replace("true", "[true]"), "verdicts.polite is [True]"),
        (GOOD.replace('"polite"', '"kind"'), "verdicts lacks 'polite'"),
        ('{"polite": true}', "the answer lacks 'helpful'"),
        ('{"reason": "ok"}', "the answer lacks 'polite'"),
        (GOOD.replace('"helpful"', '"polite"'), "stands twice"),
    ],
)
def test_what_is_not(text: str, why: str) -> None:
    with pytest.raises(UnusableAnswer) as error:
        ballots.parse_marks(text, YES_NO)
    assert why in str(error.value)


FORMS = [
    f"```json {GOOD} ```",
    f"Sure, here it is:\n```json\n{GOOD}```\nI hope that helps {{or not}}.",
    f'<think>{{"verdicts": 1}} hm</think>\n{GOOD}',
    f"So it is polite.</think>```\n{GOOD}\n```",
    f"analysis: it says please. final {GOOD}",
    f"{GOOD}\n{GOOD}",
    f"[{GOOD}]",
    f'{{"result": {GOOD}}}',
    "\ufeff" + GOOD,
    GOOD.replace("{", '{"confidence": 0.9, ', 1),
    GOOD.replace('"ok"', "null").replace('"polite"', '"x": 1, "polite"'),
    GOOD.replace('"reason": "ok", ', ""),
    GOOD.replace("ok", "two\nlines"),
    GOOD.replace("}}", ",},}"),
    GOOD.replace('"', "'").replace("true", "True").replace("false", "False"),
    GOOD.replace("true", '"True "').replace("false", '"no"'),
    GOOD.replace("true", "1").replace("false", "0"),
    GOOD.replace("true", '"sim"').replace("false", '"não"'),
    '{"polite": true, "helpful": false, "reason": "ok"}',
]


@pytest.mark.parametrize("text", FORMS)
def test_what_judges_really_say_is_read(text: str) -> None:
    assert ballots.parse_marks(text, YES_NO)[0] == {"polite": True, "helpful": False}


@pytest.mark.parametrize("score", ["4", "4.0", '"4"', '"4.0"', '"4/5"', '" 4 / 5 "'])
def test_a_whole_number_however_it_is_written(score: str) -> None:
    text = f'I give a {score}: {{"reason": "r", "score": {score}}}'
    assert ballots.parse_marks(text, SCALE) == ({"score": 4}, "r")


@pytest.mark.parametrize(
    "score", ["0", "6", "4.5", '"4/10"', '"four"', "true", "null", "1e3", "NaN", "[4]", '""']
)
def test_scores_off_the_scale(score: str) -> None:
    with pytest.raises(UnusableAnswer):
        ballots.parse_marks(f'{{"reason": "r", "score": {score}}}', SCALE)


def test_neither_of_them_is_better() -> None:
    with pytest.raises(UnusableAnswer, match="better is 'both'; valid: a, b, tie"):
        ballots.parse_better('{"reason": "r", "better": "both"}')
    assert ballots.parse_better('{"better": " A"}') == ("a", "")


@given(
    st.text()
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps)
)
def test_nothing_else_escapes(text: str) -> None:
    for read in (lambda t: ballots.parse_marks(t, YES_NO), ballots.parse_better):
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
