"""Sameness has three levels; one rule says whether a test row stands in training.

Leakage and promotion both go by it.
"""

import unicodedata
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.data.canonical import identical
from tunegate.data.comparison import (
    accents_differ,
    comparison_texts,
    connected,
    equal_text,
    folded_text,
    is_label,
    label_counts,
    meaning_signs,
    near_scopes,
    rows_in_training,
    rows_together,
    subjects_differ,
    system_is_asked,
)
from tunegate.data.dataset import Dataset, Reading
from tunegate.gates import promotion
from tunegate.results.labels import json_field
from tunegate_checks.data import duplicates, leakage


def row(text: str, reply: str = "yes", picture: str = "", system: str = "") -> dict[str, Any]:
    shown = [{"type": "image_url", "image_url": {"url": picture}}] if picture else []
    asked: Any = [{"type": "text", "text": text}, *shown] if shown else text
    told: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    told += [{"role": "user", "content": asked}, {"role": "assistant", "content": reply}]
    return {"messages": told}


CASES = [
    ([row("Where is it?")], row("where IS  it?", "no", system="Be brief."), [0]),
    ([row("Where is it?")], row("Where was it?"), []),
    ([row("Stra\u00dfe")], row("STRASSE"), [0]),
    ([row("What is it?", picture="a"), row("What is it?", picture="b")],
     row("What is it?", "no", "b"), [1]),
    ([row("What is it?", picture="a")], row("What is it?", picture="c"), []),
    ([row("What is it?", picture="a")], row("What is it?"), []),
    ([row("", "a cat", "a")], row("", "a dog", "a"), [0]),  # the picture is the question
    ([row("", "a cat", "a")], row("", "a cat", "b"), []),
    ([row("", "one text")], row("", "another, which has nothing of it"), []),
    ([row("", "one text"), row("x"), row("", "one text")], row(" ", "One  text"), [0, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("trained", "tested", "places"), CASES)
def test_the_check_and_the_promotion_say_the_same(
    trained: list[dict[str, Any]], tested: dict[str, Any], places: list[int]
) -> None:
    train, test = Dataset.of(trained, "train"), Dataset.of([tested], "test")
    assert rows_in_training(test, train) == ({0: places} if places else {})
    assert bool(leakage.find(train, test, similarity=1.0)) is bool(places)
    assert refused(test, train) is bool(places)


def refused(test: Dataset, train: Dataset) -> bool:
    run: Any = SimpleNamespace(
        plan=SimpleNamespace(train="x", validation=None, base="b", columns={}),
        data=lambda split: train,
        verify=lambda: None,
        receipt={},
        test_receipts=lambda: {test.digest: ""},
    )
    candidate: Any = SimpleNamespace(run=run, digest="d", base="b")
    # Asked for the baseline, which stands for measured here, and for scorecards, of which are none.
    state: Any = SimpleNamespace(folder=Path("none"), runs=Path("none"))
    try:
        with mock.patch.object(promotion, "recall_baseline", return_value={}):
            promotion.check_promotable(candidate, "d", test, state)
    except promotion.PromotionRefused as reason:
        return "stand in what the model was trained on" in str(reason)
    return False


SAY = "Não é possível cancelar: 3 < 5"
EQUAL = [
    unicodedata.normalize("NFD", SAY),
    f"\ufeff  {SAY}\n",
    SAY.replace(" ", "\u00a0\t"),
    SAY.replace("cancelar", "can\u00adce\u200blar"),
    f"\u200f{SAY}\u200e",
    SAY.replace("cancelar", "ｃａｎｃｅｌａｒ"),
    SAY.replace("<", "&lt;").replace("é", "&eacute;").replace("í", "&#237;"),
]
NEAR = ["NÃO É POSSÍVEL cancelar: 3 < 5", f"{SAY}!", f'"{SAY}"']
DIFFERENT = ["Nao e possivel cancelar: 3 < 5", SAY.replace("<", ">"), SAY.replace("3", "³")]
APART = [
    ("avó", "avô"), ("3²", "32"), (":)", ":("), ("C++", "C#"), (">50K", "<=50K"), ("-1", "1"),
    ("👍", "👎"), ("1.5", "15"), ("かき", "がき"), ("A+", "A"),
    ("👨‍👩‍👧", "👨👩👧"), ("?", "."), ("!", "?"),
    ("a != b", "a = b"), ("x := 5", "x = 5"), (".5", "5"), ("not !done", "not done"),
]  # fmt: skip


@pytest.mark.parametrize("text", EQUAL)
def test_what_a_reader_calls_the_same_is_equal_text(text: str) -> None:
    assert identical(text) != SAY
    assert equal_text(text) == SAY


@pytest.mark.parametrize("text", NEAR)
def test_case_and_punctuation_around_words_are_no_equal_text_but_near(text: str) -> None:
    assert equal_text(text) != SAY
    assert folded_text(text) == folded_text(SAY)


@pytest.mark.parametrize(("one", "other"), [*APART, *((SAY, text) for text in DIFFERENT)])
def test_signs_accents_digits_and_emoji_carry_meaning(one: str, other: str) -> None:
    assert folded_text(one) != folded_text(other)


@given(st.text(max_size=40), st.sampled_from(["NFC", "NFD"]))
def test_equal_text_is_the_same_in_each_unicode_form(text: str, form: Any) -> None:
    assert equal_text(unicodedata.normalize(form, text)) == equal_text(text)
    assert equal_text(f" {text}\u200b\r\n") == equal_text(text)


@pytest.mark.parametrize(("text", "signs"), [
    ("Take 50 mg, 2.5 times a day!", "50 2.5"), ("a - b", "-"), ("if x != y:", "!="),
    ("👍 (ok)", "👍 ( )"), ("It’s well-known: “so”.", ""), ("não é já", ""), ("आपका ऑर्डर", ""),
    ("1 23", "1 23"), ("12 3", "12 3"), ("–5 °C", "–5 °"),
    ("lost_or_stolen_card", ""), ("x_1", "_1"),
])  # fmt: skip
def test_signs_are_what_is_neither_a_word_nor_punctuation_around_one(text: str, signs: str) -> None:
    assert meaning_signs(text) == signs


@given(st.text(max_size=20), st.text(max_size=20))
def test_signs_and_accents_are_those_of_the_text_as_a_reader_sees_it(one: str, other: str) -> None:
    assert meaning_signs(unicodedata.normalize("NFD", one).upper()) == meaning_signs(one.upper())
    assert not accents_differ(one, one)
    assert accents_differ(one, other) == accents_differ(other, one)


ASKED = ["What is 12 + 3?", "what is 12 + 3", "What is 12 + 4?", "Where is it?"]
ANSWERED = ["15", "It is 15.", "16", "here"]


@given(st.lists(st.tuples(st.sampled_from(ASKED), st.sampled_from(ANSWERED)), max_size=6))
def test_rows_are_in_one_scope_unless_signs_of_questions_and_answers_differ(
    pairs: list[tuple[str, str]],
) -> None:
    scopes = [{*scope} for scope in near_scopes(Dataset.of([row(*pair) for pair in pairs]))]
    signs = [[meaning_signs(text) for text in pair] for pair in pairs]
    for i, j in combinations(range(len(pairs)), 2):
        alike = signs[i][0] == signs[j][0] or signs[i][1] == signs[j][1]
        assert any({i, j} <= scope for scope in scopes) is alike


def talk(*turns: str, **fields: Any) -> dict[str, Any]:
    """A conversation: user, assistant, user, ..."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(turns)]
    return {"messages": messages, **fields}


WHOLE = talk("Where is it?", "In the van.", "And when?", "At noon.", "Thanks", "Bye.")
TURNS = [
    (talk("Where is it?", "Somewhere."), True),  # training answers it in its first turn
    (talk("Where is it?", "In the van.", "And when?", "At one."), True),
    (talk("Where is it?", "In the van.", "and  WHEN?"), True),
    (talk("And when?", "At noon."), False),  # asked without what was said before
    (talk("Where is it?", "At home.", "And when?", "At noon."), False),
    (talk(*[m["content"] for m in WHOLE["messages"]], "One more", "Yes?"), False),
]


@pytest.mark.parametrize(("tested", "stands"), TURNS)
def test_what_a_conversation_of_training_begins_with_stands_in_training(
    tested: dict[str, Any], stands: bool
) -> None:
    train, test = Dataset.of([talk("Hello", "Hi."), WHOLE]), Dataset.of([tested], "test")
    assert rows_in_training(test, train) == ({0: [1]} if stands else {})
    assert [f.kind for f in leakage.find(train, test, similarity=1.0)] == ["exact"] * stands
    assert refused(test, train) is stands


REVIEWS = ("I love this kettle.", "It broke on day one.", "Not again, thanks", "Five stars!")


def test_documents_in_system_messages_are_asked_and_instructions_are_not() -> None:
    documents = [row("Good or bad?", "good", system=text) for text in REVIEWS]
    told = [row("Good or bad?", "good", system="Be brief."), row("Well?"), row("So?", system="Hi")]
    told += [row(text, system="Be brief.") for text in ("And?", "Or?")]
    for rows, is_asked in ((documents, True), ([*told, *documents[:1]], False), (told, False)):
        dataset = Dataset.of(rows)
        assert system_is_asked(dataset) is is_asked
        assert bool(duplicates.find(dataset)) is (rows is not documents and rows is not told)
    train, test = Dataset.of(documents[:2]), Dataset.of(documents[2:], "test")
    assert not leakage.find(train, test)
    assert leakage.find(train, Dataset.of([documents[0], documents[3]], "test")).rows == [0]


@pytest.mark.parametrize("name", ["images", "tools", "documents"])
def test_what_is_given_beside_the_messages_tells_rows_apart(name: str) -> None:
    one, other = ({**row("What is it?"), name: [{"name": n}]} for n in ("a", "b"))
    assert not duplicates.find(Dataset.of([one, other]))
    assert duplicates.find(Dataset.of([one, other, one])).rows == [2]
    assert rows_in_training(Dataset.of([one]), Dataset.of([other, one])) == {0: [1]}


def test_a_label_of_a_script_without_spaces_has_few_letters() -> None:
    assert all(map(is_label, ["退款", "订单物流查询", "ขอคืนเงิน", "delivery to the door"]))
    assert not is_label("我们已经收到您的退款申请并将在三天内处理完毕")


@pytest.mark.parametrize(
    ("reply", "label"),
    [("a" * 50, True), ("a" * 51, False), ("a b c d e", True), ("a b c d e f", False),
     (" a\n", True), ("a\nb", False), ("", False), (" ", False)],
)  # fmt: skip
def test_a_label_is_one_line_of_five_words_and_fifty_letters(reply: str, label: bool) -> None:
    assert is_label(reply) is label


@pytest.mark.parametrize(
    ("replies", "counts"),
    [
        ("aaabbb", {"a": 3, "b": 3}),
        ("aaaaab", {"a": 5, "b": 1}),
        ("aaabb", {}),
        (["a"] * 5 + ["not a label: " * 9], {}),
        ("", {}),
    ],
)
def test_labels_are_counted_where_each_stands_in_three_rows(
    replies: Any, counts: dict[str, int]
) -> None:
    rows = [row(f"q{n}", reply) for n, reply in enumerate(replies)]
    assert label_counts(Dataset.of(rows)) == counts
    read = [row(f"q{n}", f'{{"team": "{reply}"}}') for n, reply in enumerate(replies)]
    read.append(row("q", "no label by the rule"))
    assert label_counts(Dataset.of(read, reading=Reading(json_field("team")))) == counts


@pytest.mark.parametrize(
    ("rows_of_each", "is_asked"),
    [
        ([1, 1], True), ([2], False), ([6, *[1] * 5], False), ([6, *[1] * 6], True),
        ([10, 10, 10], False), ([10, 10, 9], True),
    ],
)  # fmt: skip
def test_from_how_many_rows_on_system_messages_are_instructions(
    rows_of_each: list[int], is_asked: bool
) -> None:
    systems = [f"text {k}" for k, n in enumerate(rows_of_each) for _ in range(n)]
    rows = [row(f"q{n}", system=system) for n, system in enumerate(systems)]
    assert system_is_asked(Dataset.of(rows)) is is_asked
    half = len(rows) // 2
    assert system_is_asked(Dataset.of(rows[:half]), Dataset.of(rows[half:])) is is_asked
    assert system_is_asked(Dataset.of([*rows, row("q"), row("q", system=" ")])) is is_asked


@given(st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=4), max_size=8))
def test_what_is_linked_is_in_one_group_and_nothing_else(linked: list[list[int]]) -> None:
    groups = connected(12, linked)
    assert sorted(i for group in groups for i in group) == [*range(12)]
    assert groups == sorted(sorted(group) for group in groups)
    joined = [{i} for i in range(12)]
    for link in linked:
        whole = set[int]().union(*(group for group in joined if group & {*link}))
        joined = [group for group in joined if not group & whole] + [whole]
    assert groups == sorted(sorted(group) for group in joined)


TEMPLATE = "Which team should answer this message"
RARER = "In which language is it written at all"


@pytest.mark.parametrize(
    ("usual", "rare", "removed"), [(18, 2, False), (17, 3, True), (77, 3, False), (76, 4, True)]
)
@pytest.mark.parametrize("at_end", [False, True])
def test_what_three_rows_or_a_twentieth_begin_or_end_with_is_a_template(
    usual: int, rare: int, removed: bool, at_end: bool
) -> None:
    templates = [TEMPLATE] * usual + [RARER] * rare
    asked = [f"w{n} {text}" if at_end else f"{text} w{n}" for n, text in enumerate(templates)]
    (texts,) = comparison_texts(Dataset.of(map(row, asked)))
    assert [text.strip() for text in texts[:usual]] == [f"w{n}" for n in range(usual)]
    left = {text.replace(f"w{n}", "").strip() for n, text in enumerate(texts)}
    assert (RARER.lower() in left) is not removed
    # All but the commonest leave a mark, of private use.
    assert left - {"", RARER.lower()} == ({"\ue001"} if removed else set())


@pytest.mark.parametrize(
    ("asked", "answered", "differ"),
    [
        (("The dose of ibuprofen?", "The dose of losartan?"),
         ("200 mg of ibuprofen", "200 mg of losartan"), True),
        (("The dose of ibuprofen?", "The dose of losartan?"), ("200 mg", "50 mg"), False),
        (("The dose of ibuprofen?", "The dose?"), ("200 mg of ibuprofen", "50 mg"), False),
        (("The dose?", "The dose of losartan?"), ("200 mg", "50 mg of losartan"), False),
        (("The dose?", "the dose"), ("200 mg of ibuprofen", "200 mg of losartan"), False),
    ],
)  # fmt: skip
def test_rows_on_two_subjects_ask_and_answer_about_a_word_of_their_own(
    asked: tuple[str, str], answered: tuple[str, str], differ: bool
) -> None:
    assert subjects_differ(asked, answered) is differ


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [("o avó veio", "a avô veio", True), ("avó", "AVÓ!", False), ("avó", "pai", False),
     ("avó avô", "avó", False)],
)  # fmt: skip
def test_a_word_with_other_accents_is_another_word(one: str, other: str, differ: bool) -> None:
    assert accents_differ(one, other) is differ


def test_turns_and_rows_of_a_group_belong_together() -> None:
    turns = ["Where is it?", "In the van.", "And when?", "At noon."]
    rows = [talk(*turns), talk(*turns[:2]), talk("And when?", "At noon."), talk("Hi", "Hello.")]
    grouped = [{**r, "user": user} for r, user in zip(rows, ["", "", "ana", "ana"], strict=True)]
    links = rows_together(Dataset.of(grouped, reading=Reading(group_by=("user",))))
    assert connected(4, links) == [[0, 1], [2, 3]]
    assert connected(4, rows_together(Dataset.of(grouped))) == [[0, 1], [2], [3]]
