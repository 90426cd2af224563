"""Labels are read by a stated rule, and what does not follow it has none."""

from __future__ import annotations

import json
import pickle
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.config.schema import load
from tunegate.errors import ConfigError
from tunegate.results.labels import (
    LabelRule,
    exact,
    fold_advice,
    json_field,
    label_predictions,
    label_rule,
    label_rule_of_table,
    regex,
    transformed,
    wrong_labels,
)
from tunegate.results.prediction import Prediction, Predictions
from tunegate_checks.model import classification

if TYPE_CHECKING:
    from conftest import Project


@given(st.text())
def test_exact_is_the_text_without_white_space_around_it(text: str) -> None:
    assert exact.read(f" \n{text}\t") == unicodedata.normalize("NFC", text.strip())


@given(st.text(), st.text())
def test_a_json_field_is_what_was_written_into_it(label: str, other: str) -> None:
    text = json.dumps({"category": label, "why": other})
    assert json_field("category").read(text) == label.strip()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('{"result": {"label": " a "}}', "a"),
        ('{"result": {"label": 3}}', "3"),
        ('{"result": {"label": false}}', "false"),
        ('{"result": {"label": null}}', None),
        ('{"result": {"label": {}}}', None),
        ('{"result": "a"}', None),
        ('["result"]', None),
        ('{"result": {"label": "a"}} trailing', None),
        ('```json\n{"result": {"label": "a"}}\n```', None),
        ("", None),
    ],
)
def test_what_a_json_field_reads(text: str, label: str | None) -> None:
    assert json_field("result.label").read(text) == label


@pytest.mark.parametrize(
    ("pattern", "text", "label"),
    [
        (r"label:\s*(\w+)", "I think\nlabel: billing, since", "billing"),
        (r"\b[A-D]\b", "The answer is B, not C", "B"),
        (r"x(y)?", "x", None),
        ("(a)", "no such letter here, Bob", None),
    ],
)
def test_what_a_regular_expression_reads(pattern: str, text: str, label: str | None) -> None:
    assert regex(pattern).read(text) == label


@pytest.mark.parametrize(
    "spec",
    ["", "exakt", "exact:", "json", "json:", "json:a..b", "regex", "regex:", "regex:(", "foo:bar"],
)
def test_a_bad_rule_ends_at_start_up_naming_the_valid_forms(spec: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='valid: "exact", "json:FIELD"'):
        label_rule(spec)
    (tmp_path / "tunegate.toml").write_text(f"label = '{spec}'\n")
    with pytest.raises(ConfigError) as raised:
        load(tmp_path)
    told = str(raised.value)
    assert told.startswith(f"{tmp_path / 'tunegate.toml'}: label = {spec!r}: no ")
    assert len(told.splitlines()) == 1


def test_the_rule_of_the_configuration_reaches_a_test(project: Project) -> None:
    config = project.root / "tunegate.toml"
    config.write_text('label = "regex:[ab]"\n' + config.read_text())
    project.write(
        "suites/model/test_m.py",
        "def test_it(label_rule):\n    assert label_rule.name == 'said'\n",
    )
    assert "'label: regex [ab]' == 'said'" in project.pytest("suites/model").out


ROWS = [
    Prediction(3, 4, "one", " a ", "a"),
    Prediction(5, 7, "two", "a", "b"),
    Prediction(6, 8, "three", "b", "", error="timeout"),
    Prediction(7, 9, "four", "a", "?" * 40),
]


def test_predictions_have_both_labels() -> None:
    rows = label_predictions(Predictions(ROWS), regex("[ab]"))
    assert [(row.expected, row.got, row.right) for row in rows] == [
        ("a", "a", True),
        ("a", "b", False),
        ("b", None, False),
        ("a", None, False),
    ]
    assert [row.prediction for row in rows] == ROWS
    assert [regex("[ab]").right(p) for p in ROWS] == [True, False, False, False]


def test_an_answer_beside_an_error_is_none() -> None:
    half = Prediction(0, 1, "one", "a", "a", error="cut off")
    assert not exact.right(half)
    (row,) = label_predictions(Predictions([half]), exact)
    assert (row.got, row.right) == (None, False)


def test_wrong_labels_are_named_by_what_was_expected() -> None:
    found = wrong_labels(Predictions(ROWS), regex("[ab]"))
    assert (found.name, found.split, found.n) == ("misses", "test", 4)
    assert [(f.row, f.line, f.kind, f.evidence, f.hint) for f in found] == [
        (5, 7, "a", "got 'b' for: two", False),
        (6, 8, "no answer", "timeout", False),
        (7, 9, "unparseable", f"got '{'?' * 27}...', not 'a', for: four", False),
    ]


@pytest.mark.parametrize("letters", [30, 60, 61])
def test_what_is_told_of_a_wrong_answer_is_short(letters: int) -> None:
    text = "x" * letters
    (wrong,) = wrong_labels(Predictions([Prediction(0, 1, text, "a", text)]), exact)
    answer = text if letters == 30 else f"{'x' * 27}..."
    assert wrong.evidence == f"got {answer!r} for: {text if letters < 61 else 'x' * 57 + '...'}"


def test_an_expected_reply_without_a_label_is_refused_with_its_line() -> None:
    rows = Predictions([ROWS[0], Prediction(4, 5, "five", "x" * 50, "a")])
    with pytest.raises(ValueError) as raised:
        label_predictions(rows, regex("[ab]"))
    assert str(raised.value) == (
        f"test line 5: no label in the expected reply '{'x' * 37}...' (label: regex [ab]); "
        "correct the row, or `label` in the configuration"
    )


def test_only_the_label_of_a_set_has_parts() -> None:
    tags = label_rule_of_table("set")
    assert (exact.parts("a | b"), exact.parts("(none)")) == (["a | b"], ["(none)"])
    assert (tags.parts("a | b"), tags.parts("(none)")) == (["a", "b"], [])
    for changed in (label_rule_of_table("set", fold=["case"]), json_field("tags", is_set=True)):
        assert changed.parts("a | b") == ["a", "b"]
    for rule in (regex("a"), json_field("a"), label_rule_of_table("exact", fold=["case"])):
        assert rule.parts("a | b") == ["a | b"]


def test_rules_of_one_name_are_one_rule() -> None:
    assert regex("a") == regex("a") != regex("b")
    assert LabelRule("a", str) == LabelRule("a", str.strip, is_set=True)
    assert repr(exact) == "LabelRule(name='label: the whole answer, white space around it aside')"


TABLES = [
    ('kind = "exact"\nfold = ["case", "punctuation"]', " Refund! ", "refund"),
    ('kind = "exact"\nfold = "punctuation"', "C++", "C++"),
    ('kind = "json"\nfields = "team"', '{"team": "A"}', "A"),
    ('kind = "json"\nfields = ["a", "b.c"]', '{"a": 1, "b": {"c": "x"}}', "1 | x"),
    ('kind = "json"\nfields = ["a", "b.c"]', '{"a": 1}', None),
    ('kind = "regex"\npattern = "team (\\\\w+)"\nfold = ["case"]', "For team Cards", "cards"),
    ('kind = "set"', '["b", "a", "b"]', "a | b"),
    ('kind = "set"', "b, a\nc", "a | b | c"),
    ('kind = "set"\nfields = ["tags"]', '{"tags": ["b", "a"], "x": 1}', "a | b"),
    ('kind = "set"\nfields = ["tags"]', "b, a", None),
    ('kind = "set"\nfields = ["tags"]', '{"tags": []}', "(none)"),
    ('kind = "set"', "[]", "(none)"),
    ('kind = "set"', "['b', 'a, c']", "a, c | b"),
    ('kind = "set"', "[b, a", "[b | a"),
    ('kind = "set"', " ", None),
    ('kind = "set"\nfold = ["case", "punctuation"]', "B., 'a'", "a | b"),
]


@pytest.mark.parametrize(("table", "text", "label"), TABLES)
def test_a_table_says_how_a_label_is_read(
    table: str, text: str, label: str | None, tmp_path: Path
) -> None:
    (tmp_path / "tunegate.toml").write_text(f"[label]\n{table}\n")
    rule = load(tmp_path).label_rule
    assert rule.read(text) == label
    again = pickle.loads(pickle.dumps(rule))
    assert (again, again.read(text)) == (rule, label)
    assert rule.name != exact.name


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('kind = "yaml"', "kind is 'yaml'; valid: 'exact', 'json', 'regex', 'set'"),
        ('kind = "exact"\nfold = "accents"', "fold has 'accents'; valid: 'case', 'punctuation'"),
        ('kind = "json"', 'kind = "json" needs fields'),
        ('kind = "exact"\nfields = ["a"]', 'kind = "exact" takes no fields'),
        ('kind = "regex"', 'kind = "regex" needs a pattern'),
        ('kind = "json"\nfields = ["a"]\npattern = "b"', 'kind = "json" takes no pattern'),
        ('kind = "json"\nfield = "a"', "unknown key 'field', did you mean 'fields'?"),
        ('fields = ["a"]', "kind is missing"),
    ],
)
def test_a_bad_table_ends_at_start_up_in_one_line(table: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "tunegate.toml").write_text(f"[label]\n{table}\n")
    with pytest.raises(ConfigError) as raised:
        load(tmp_path)
    assert message in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("rule", [exact, json_field("a"), regex("a")])
def test_reasoning_is_no_part_of_a_label(rule: Any) -> None:
    text = '{"a": "a"}'
    for reasoning in ("<think>b\n</think>\n", "<think></think>", "b, so a?</think>"):
        assert rule.read(reasoning + text) == rule.read(text) is not None


def test_labels_are_equal_in_any_unicode_form() -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    for rule, form in ((exact, "{}"), (json_field("a"), '{{"a": "{}"}}'), (regex(r"\S+"), "{}")):
        p = Prediction(0, 1, "q", form.format(composed), form.format(apart))
        assert rule.right(p)
        assert rule.read(form.format(apart)) == composed


@pytest.mark.parametrize(
    ("got", "label"), [("a", "a"), ("b", "b"), (" c ", "c"), ("d", "a"), ("", "a")]
)
def test_each_reference_is_right(got: str, label: str) -> None:
    """The expected label is the one that was given, where it is one of several."""
    p = Prediction(0, 1, "q", "a", got, references=["b", "c"])
    assert exact.right(p) == p.right == (got.strip() in ("a", "b", "c"))
    (row,) = label_predictions(Predictions([p]), exact)
    assert (row.expected, row.right) == (label, p.right)
    assert not exact.right(Prediction(0, 1, "q", "a", "b", error="cut", references=["b"]))


def test_calls_are_the_label_of_a_reply_that_has_them() -> None:
    rows = [
        Prediction(0, 1, "q", "", "", expected_calls="[1]", calls="[1]"),
        Prediction(1, 2, "q", "", "Let me see.", expected_calls="[1]", calls="[1]"),
        Prediction(2, 3, "q", "", "", expected_calls="[1]", calls="[2]"),
        Prediction(3, 4, "q", "", "", expected_calls="[1]"),
        Prediction(4, 5, "q", "hi", "hi", calls="[1]"),
    ]
    assert [exact.right(p) for p in rows] == [True, True, False, False, False]
    labelled = label_predictions(Predictions(rows), exact)
    assert [row.right for row in labelled] == [exact.right(p) for p in rows]


FOLDED = {
    "fence": "```\na\n```",
    "fence of a language": "```text\na\n```\n",
    "explanation": "a\n\nSince it says so.",
    "case": "A",
    "punctuation": '"a".',
}


@pytest.mark.parametrize("name", FOLDED)
def test_a_fold_takes_off_what_it_names(name: str) -> None:
    fold = name.partition(" ")[0]
    rule = label_rule_of_table("exact", fold=[fold])
    assert (exact.read(FOLDED[name]), rule.read(FOLDED[name])) == (FOLDED[name].strip(), "a")
    assert rule.name == f"{exact.name}, without {fold}"
    assert pickle.loads(pickle.dumps(rule)).read(FOLDED[name]) == "a"


def test_an_explanation_round_json() -> None:
    rule = label_rule_of_table("json", ["team"], fold=["explanation"])
    assert rule.read('Here it is: {"team": "a"} Since it says so.') == "a"
    assert rule.read("no object") is None


def answered(*texts: str) -> Predictions:
    return Predictions([Prediction(i, i + 1, "q", "a", text) for i, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("texts", "advice"),
    [
        (["a", "b"], []),
        (["A", "A", "b"], ['2 of 3 wrong answers would match with fold = ["case"]']),
        (
            ['```\n"A"\n```'],
            ['1 of 1 wrong answers would match with fold = ["case", "punctuation", "fence"]'],
        ),
    ],
)
def test_what_would_match_is_said(texts: list[str], advice: list[str]) -> None:
    advice = [f"{line} in [label]" for line in advice]
    assert fold_advice(answered(*texts), exact) == advice
    score = classification.accuracy(answered(*texts))
    assert list(score.hints) == advice


TRANSFORMS = """
def last_word(text): return text.split()[-1]
def nothing(text): return None
"""


def test_a_function_of_the_project_makes_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "labels.py").write_text(TRANSFORMS)
    (tmp_path / "tunegate.toml").write_text(
        '[label]\nkind = "exact"\nfold = ["case"]\ntransform = "labels.py:last_word"\n'
    )
    rule = load(tmp_path).label_rule
    assert rule.read("The team is: Billing") == "billing"
    assert rule.name == f"{exact.name}, without case, of what last_word returns"
    assert pickle.loads(pickle.dumps(rule)).read("is A") == "a"
    assert transformed(exact, f"{tmp_path / 'labels.py'}:nothing").read("a") is None


@pytest.mark.parametrize("named", ["labels.py:none", "none.py:f", "labels.py", "bad.py:f"])
def test_a_function_that_is_not_there_ends_at_start_up(tmp_path: Path, named: str) -> None:
    (tmp_path / "labels.py").write_text(TRANSFORMS)
    (tmp_path / "bad.py").write_text("def f(:")
    config = f'[label]\nkind = "exact"\ntransform = "{named}"\n'
    (tmp_path / "tunegate.toml").write_text(config)
    with pytest.raises(ConfigError, match=r"transform .*: \w+Error: ") as raised:
        load(tmp_path)
    assert len(str(raised.value).splitlines()) == 1
