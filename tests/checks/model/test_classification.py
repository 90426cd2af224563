"""Accuracy and confusion agree with scikit-learn, and know what errors could change."""

from __future__ import annotations

import pytest
from hypothesis import given
from predicted import pairs, predicted

from tunegate import Unmeasurable
from tunegate.results.labels import (
    LabelRule,
    exact,
    json_field,
    label_rule_of_table,
    regex,
    wrong_labels,
)
from tunegate_checks.model import classification


@given(pairs)
def test_accuracy_is_that_of_scikit_learn(rows: list[tuple[str, str]]) -> None:
    from sklearn.metrics import accuracy_score

    want, got = zip(*rows, strict=True)
    score = classification.accuracy(predicted(rows))
    assert float(score) == pytest.approx(accuracy_score(want, got))
    assert score.low <= score <= score.high
    assert len(score.misses or ()) == score.n - (score.hits or 0)


@given(pairs)
def test_confusion_is_that_of_scikit_learn(rows: list[tuple[str, str]]) -> None:
    from sklearn.metrics import confusion_matrix

    table = classification.confusion(predicted(rows))
    names = [*table.index, "elsewhere"]
    want, got = zip(*((w, g if g in table.index else "elsewhere") for w, g in rows), strict=True)
    known = confusion_matrix(want, got, labels=names)
    assert table.to_numpy().tolist() == known[:-1, : len(table.columns)].tolist()
    assert table.to_numpy().sum() == len(rows)


def test_errors_leave_a_score_unmeasurable_only_where_they_decide() -> None:
    rows = [("billing", "billing")] * 18 + [("billing", "")] * 2
    accuracy = classification.accuracy(predicted(rows, errors=(18, 19)))
    assert accuracy >= 0.9
    assert not accuracy >= 1.01
    with pytest.raises(Unmeasurable, match="2 of 20 answers could not be had"):
        assert accuracy >= 0.95


def test_nothing_predicted_is_nothing_measured() -> None:
    with pytest.raises(Unmeasurable):
        assert classification.accuracy(predicted([])) >= 0.5


def test_a_miss_shows_line_expectation_answer_and_prompt() -> None:
    miss = wrong_labels(predicted([("billing", "delivery")]), exact)[0]
    assert (miss.line, miss.kind) == (1, "billing")
    assert miss.evidence == "got 'delivery' for: ticket 0"


def test_what_cannot_be_parsed_is_wrong_and_listed() -> None:
    rows = [('{"team": "a"}', '{"team": " a "}'), ('{"team": "b"}', "b"), ('{"team": "c"}', "")]
    score = classification.accuracy(predicted(rows, errors=(2,)), label=json_field("team"))
    assert (score.hits, score.n, score.errors) == (1, 3, 1)
    assert score.signature == "label: JSON field team"
    assert [(m.line, m.kind, m.evidence) for m in score.misses or ()] == [
        (2, "unparseable", "got 'b', not 'b', for: ticket 1"),
        (3, "no answer", "timeout"),
    ]


@given(pairs)
def test_a_rule_is_applied_to_both_sides_alike(rows: list[tuple[str, str]]) -> None:
    told = [(f"The label: {w}.", f"It is, label: {g or '-'}, I think") for w, g in rows]
    rule = regex(r"label: ([\w ]+|-)")
    plain = classification.confusion(predicted([(w, g or "-") for w, g in rows]))
    assert classification.confusion(predicted(told), label=rule).equals(plain)


def test_an_expected_reply_without_a_label_is_a_fault_of_the_data() -> None:
    with pytest.raises(ValueError, match=r"^test line 2: no label in the expected reply 'b'"):
        classification.accuracy(predicted([('{"t": 1}', "a"), ("b", "b")]), label=json_field("t"))


def test_all_rows_stand_beside_those_that_gate() -> None:
    every = predicted([("a", "a")] * 9 + [("a", "b")])
    assert classification.accuracy(every, every=every).hints == ()
    assert classification.accuracy(every.without([9]), every=every).hints == (
        "1 near-duplicate of a training row set apart; 90.0% on all 10 rows",
    )


@pytest.mark.parametrize(
    ("rule", "told"),
    [(json_field("team"), '{{"team": "{}"}}'), (regex(r"team (\w+)"), "It is for team {}.")],
)
def test_the_confusion_matrix_reads_labels_by_the_rule(rule: LabelRule, told: str) -> None:
    rows = [("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")]
    read = predicted([(told.format(w), told.format(g)) for w, g in rows])
    shown = classification.confused(read, label=rule)
    assert shown == classification.confused(predicted(rows))
    assert [line.split() for line in shown.splitlines()[2:]] == [["a", "1", "1"], ["b", "0", "2"]]


def test_missing_answers_are_no_mistakes_in_either_form_of_the_matrix() -> None:
    narrow = [("a", "b"), ("b", "a"), ("b", "b")]
    assert classification.confusion(predicted(narrow, errors=[1])).to_numpy().sum() == 2
    wide = [(f"intent number {i:03}", f"intent number {(i + 1) % 30:03}") for i in range(30)]
    told = classification.confused(predicted(wide, errors=range(5, 30)))
    assert told.splitlines() == [
        f"      1  intent number {i:03} taken for intent number {i + 1:03}" for i in range(5)
    ]


def test_a_wide_confusion_matrix_becomes_a_list() -> None:
    rows = [(f"intent number {i:03}", f"intent number {(i * i) % 30:03}") for i in range(30)]
    told = classification.confused(predicted(rows))
    assert len(told.splitlines()) == 13
    assert "      1  intent number 002 taken for intent number 004" in told
    assert max(map(len, told.splitlines())) <= 80


def test_sets_of_labels_have_the_f1_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score
    from sklearn.preprocessing import MultiLabelBinarizer

    rule = label_rule_of_table("set")
    pairs = [("a, b", "b, a"), ("a", "a, c"), ("c", "b"), ("b, c", "[]"), ("[]", "a"), ("a", "x")]
    truth, answers = (
        [rule.parts(rule.read(t) or "") for t in side] for side in zip(*pairs, strict=True)
    )
    binarizer = MultiLabelBinarizer(classes=["a", "b", "c"])
    known = [[part for part in answer if part != "x"] for answer in answers]
    sides = binarizer.fit_transform(truth), binarizer.transform(known)
    predictions = predicted(pairs)
    for average in ("micro", "macro", "weighted"):
        wanted = f1_score(*sides, average=average, zero_division=0)
        assert classification.f1(predictions, average, label=rule) == pytest.approx(wanted)  # type: ignore[arg-type]
    assert classification.accuracy(predictions, label=rule) == pytest.approx(1 / 6)


def test_the_rows_that_lower_an_average_are_named() -> None:
    misses = classification.f1(predicted([("a", "a"), ("a", "b"), ("b", "b")]), "macro").misses
    assert misses is not None
    assert misses.rows == [1]


def test_the_mistakes_beyond_the_commonest_are_counted() -> None:
    rows = [(f"intent number {i:03}", f"intent number {(i + 1) % 30:03}") for i in range(30)]
    told = classification.confused(predicted([*rows, *rows[3:4], ("intent number 001", "?")]))
    first, *_, last = told.splitlines()
    assert first == "      2  intent number 003 taken for intent number 004"
    assert last == f"{32 - 13:>7}  other mistakes"
    assert len(told.splitlines()) == 13
    few = classification.confused(predicted(rows), most=30)
    assert len(few.splitlines()) == 30
    assert "other mistakes" not in few
    answer = classification.confused(predicted([*rows, ("intent number 001", "?")]), most=31)
    assert "      1  intent number 001 taken for ?" in answer.splitlines()


@pytest.mark.parametrize(("letters", "width"), [(24, 80), (25, 81)])
def test_a_matrix_of_eighty_letters_is_shown(letters: int, width: int) -> None:
    rows = predicted([(name, name) for name in ("a" * letters, "b" * 26)])
    matrix = classification.confusion(rows).to_string()
    assert max(map(len, matrix.splitlines())) == width
    assert classification.confused(rows) == (matrix if width == 80 else "")  # no mistake is listed


def test_the_worst_classes_stand_first_in_the_table() -> None:
    rows = [(f"class {i:02}", f"class {i:02}" if i % 2 else "?") for i in range(22)]
    first, *lines = classification.table(predicted(rows)).splitlines()
    assert first.split() == ["precision", "recall", "F1", "n"]
    assert [line.split()[1] for line in lines[:11]] == [f"{i:02}" for i in range(0, 22, 2)]
    assert [line.split()[1] for line in lines[11:20]] == [f"{i:02}" for i in range(1, 19, 2)]
    assert lines[0].split()[2:] == ["0.000", "0.000", "0.000", "1"]
    assert lines[20:] == ["(2 better classes more)"]
    assert len(classification.table(predicted(rows[:20])).splitlines()) == 21
    assert "more)" not in classification.table(predicted(rows[:20]))


def test_the_hint_on_rows_that_are_set_apart_counts_them() -> None:
    every = predicted([("a", "a")] * 8 + [("a", "b")] * 2)
    (hint,) = classification.accuracy(every.without([8, 9]), every=every).hints
    assert hint == "2 near-duplicates of training rows set apart; 80.0% on all 10 rows"


@pytest.mark.parametrize("both_ways", [False, True])
def test_the_errors_not_seen_yet_are_one_row_for_each_class(both_ways: bool) -> None:
    """Right, answered, expected; the rarest class is taken for the next, and reversed."""
    rows = predicted([("a", "a")] * 3 + [("b", "b")] + [("c", "b")] * 2)
    statistics = classification._one_hot(rows, exact)
    worst, best = classification._confusions(statistics, both_ways)
    b_for_c, a_alone, c_for_b = (
        [0, 0, 0, 0, 0, 1, 0, 1, 0], [0, 0, 0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0, 1]
    )  # fmt: skip
    assert worst.tolist() == [b_for_c, a_alone, *([c_for_b] if both_ways else [])]
    assert best.tolist() == [pytest.approx([k / 6 for k in (3, 1, 0, 3, 3, 0, 3, 1, 2)])]
