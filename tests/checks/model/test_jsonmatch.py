"""JSON answers: valid, and right field by field."""

import json
import runpy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predicted import predicted

from tunegate import Limits, Unmeasurable
from tunegate_checks.model import jsonmatch

ROOT = Path(__file__).parents[3]
leaves = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text("ab", max_size=3))
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def one(expected: str, got: str) -> float:
    return float(jsonmatch.fields()(predicted([(expected, got)])))


@settings(max_examples=60, deadline=None)
@given(values)
def test_a_value_matches_itself_however_it_is_written(value: object) -> None:
    assert one(json.dumps(value), json.dumps(value, indent=2, sort_keys=True)) == 1


@settings(max_examples=60, deadline=None)
@given(values, values)
def test_all_fields_are_right_exactly_where_the_values_are_equal(a: object, b: object) -> None:
    same = json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    assert (one(json.dumps(a), json.dumps(b)) == 1) == same


@pytest.mark.parametrize(
    ("expected", "got", "share"),
    [
        ('{"a": 1, "b": 2}', '{"a": 1.0, "b": 3}', 1 / 2),
        ('{"a": 1}', '{"a": true}', 0),
        ('{"a": 1}', '{"a": 1, "more": 2}', 1 / 2),
        ('{"a": {"x": 1, "y": 2}, "b": []}', '{"a": {"x": 1}, "b": []}', 2 / 3),
        ('{"a": {}}', '{"a": {"x": 1}}', 0),
        ('{"a": 1}', 'It is {"a": 1}', 0),
        ("no JSON", "no JSON", 0),
    ],
)
def test_shares(expected: str, got: str, share: float) -> None:
    assert one(expected, got) == pytest.approx(share)


def test_the_detail_is_a_table_and_the_misses_say_what_differs() -> None:
    want = '{"team": "billing", "urgent": true}'
    rows = predicted(
        [(want, want), (want, '{"team": "returns", "urgent": true}'), (want, '{"who": 1}')] * 10
    )
    score = jsonmatch.fields()(rows)
    assert score.detail.splitlines() == [
        "  33.3%      10 of     30  team",
        "  66.7%      20 of     30  urgent",
    ]
    assert score.misses is not None
    assert [(m.kind, m.evidence) for m in score.misses[:4]] == [
        ("value", 'team: expected "billing", got "returns"'),
        ("lacking", 'team: expected "billing", got nothing'),
        ("lacking", "urgent: expected true, got nothing"),
        ("unknown", "who: expected nothing, got 1"),
    ]
    assert score.low < float(score) < score.high


def test_letters_are_shown_as_they_are_written() -> None:
    score = jsonmatch.fields()(predicted([('{"ação": "é"}', r'{"a\u00e7\u00e3o": "\u00ea"}')]))
    assert [m.evidence for m in score.misses or ()] == ['ação: expected "é", got "ê"']


def test_validity() -> None:
    rows = [("{}", "{}"), ("{}", "{"), ("{}", "```json\n{}\n```"), ("{}", '{"a": NaN}'), ("{}", "")]
    score = jsonmatch.valid(predicted(rows, errors=[4]))
    assert (score.hits, score.n, score.errors) == (1, 5, 1)
    misses = score.misses
    assert misses is not None
    assert (misses.n, [m.kind for m in misses]) == (5, ["not JSON"] * 3 + ["no answer"])
    assert [m.evidence.rpartition(": ")[2] for m in misses][:2] == ["'{'", "'```json {} ```'"]
    assert not misses[0].evidence.startswith((" ", ":"))


def test_errors_are_right_in_the_best_case() -> None:
    score = jsonmatch.fields()(predicted([('{"a": 1}', '{"a": 1}')] * 4, errors=[0]))
    assert (float(score), score.best_case) == (0.75, 1.0)
    assert jsonmatch.by_field(predicted([('{"a": 1}', "")], errors=[0]))["a"].best_case == 1


def test_a_missing_answer_is_one_miss() -> None:
    score = jsonmatch.fields()(predicted([('{"a": 1, "b": 2}', "")], errors=[0]))
    assert [(m.line, m.kind, m.evidence) for m in score.misses or ()] == [
        (1, "no answer", "timeout")
    ]


def test_whether_json_is_expected() -> None:
    assert jsonmatch.expected(predicted([("{}", ""), ("[1]", ""), ("billing", "")]))
    assert not jsonmatch.expected(predicted([("billing", ""), ("3", "")]))
    assert not jsonmatch.expected(predicted([]))


def test_a_field_can_have_a_limit_and_its_misses_are_named() -> None:
    rows = predicted(
        [('{"a": 1, "b": {"c": 2}}', f'{{"a": 1, "b": {{"c": {n}}}}}') for n in (2, 3)]
    )
    assert [m.line for m in jsonmatch.by_field(rows)["b.c"].misses or ()] == [2]
    suite = runpy.run_path(str(ROOT / "suites/model/test_json.py"))["test_fields"]
    suite(rows, Limits())
    suite(rows, Limits(fields={"a": 1, "b.c": 0.5}))
    with pytest.raises(AssertionError):
        suite(rows, Limits(fields={"b.c": 0.6}))
    with pytest.raises(Unmeasurable, match="at least 5 rows"):
        suite(rows, Limits(fields={"a": 0.5}, mode="lower"))
    with pytest.raises(AssertionError, match=r"b: the fields are a, b\.c"):
        suite(rows, Limits(fields={"b": 0.5}))


def test_json_is_asked_for_where_half_of_the_replies_are_objects_or_arrays() -> None:
    assert jsonmatch.expected(predicted([("{}", ""), ("billing", "")]))
    assert not jsonmatch.expected(predicted([("{}", ""), ("billing", ""), ("3", "")]))


def test_where_no_json_is_asked_for_validity_holds_any_limit() -> None:
    score = jsonmatch.valid(predicted([("billing", "returns"), ("{}", "{}"), ("a", "a")]))
    assert score.not_applicable
    assert (score.hints, score >= 1.0) == (("few or no expected replies are JSON",), True)
    assert not jsonmatch.valid(predicted([])).not_applicable


def test_the_score_of_a_field_is_over_the_rows_that_expect_it() -> None:
    rows = predicted([('{"a": 1}', '{"a": 1}'), ('{"a": 2, "b": 1}', '{"a": 1}'), ("3", "4")])
    scores = jsonmatch.by_field(rows)
    assert [(name, s.name, s.hits, s.n) for name, s in scores.items()] == [
        ("a", "field a", 1, 2), ("b", "field b", 0, 1), ("(the answer)", "field (the answer)", 0, 1)
    ]  # fmt: skip
    misses = scores["a"].misses
    assert misses is not None
    assert (misses.name, misses.split, misses.n, misses.rows) == ("field a", "test", 2, [1])
    assert [line.split()[-1] for line in jsonmatch.table(rows).splitlines()] == [
        "b",
        "answer)",
        "a",
    ]
    (miss,) = scores["(the answer)"].misses or ()
    assert miss.evidence == "(the answer): expected 3, got 4"


def test_long_values_and_names_are_cut() -> None:
    name, value = "n" * 60, "v" * 60
    rows = predicted([(json.dumps({name: value}), "{}")])
    (evidence,) = [m.evidence for m in jsonmatch.misses(rows) if m.kind == "lacking"]
    assert evidence == f'{name}: expected "{"v" * 36}..., got nothing'
    assert jsonmatch.table(rows).endswith(f"  {'n' * 47}...")
