import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.data.comparison import group_indices
from tunegate.data.dataset import Dataset, Reading
from tunegate.data.splitting import stratified_group_split
from tunegate.results.labels import json_field
from tunegate.results.score import Unmeasurable
from tunegate_checks.data import labels

WORDS = {
    "delivery": "parcel courier late arrive track warehouse shipped address",
    "billing": "invoice charged refund price paid receipt vat amount",
    "bug": "app crashes screen button update error login freeze",
}


def row(prompt: str, reply: str) -> dict[str, Any]:
    turns = {"user": prompt, "assistant": reply}
    return {"messages": [{"role": r, "content": c} for r, c in turns.items()]}


def tickets(n: int = 40) -> list[tuple[str, str]]:
    rng = random.Random(0)
    pairs = []
    for k in range(n):
        for label, words in WORDS.items():
            pairs.append((f"{' '.join(rng.sample(words.split(), 5))} {k}", label))
    return pairs


def made(*pairs: tuple[str, str]) -> Dataset:
    return Dataset.of([row(*pair) for pair in pairs], split="train")


def test_clean_labels_are_silent() -> None:
    found = labels.contradictions(made(*tickets(), tickets()[0]))
    assert list(found) == list(found.hints) == []
    assert list(labels.errors(made(*tickets())).hints) == []


def test_the_outvoted_rows_are_named() -> None:
    pairs = (
        ("Where is it?", "delivery"),
        ("Where is it?", "billing"),
        ("Where is it?", "Delivery"),
        ("I paid twice", "billing"),
    )
    (found,) = labels.contradictions(made(*pairs))
    assert (found.row, found.kind) == (1, "contradiction")
    assert found.evidence == "“billing”, but “delivery” on line 1: “Where is it?”"


def test_the_evidence_names_a_row_with_the_label_that_won() -> None:
    pairs = (("Where is it?", "billing"), *[("Where is it?", "delivery")] * 2)
    (found,) = labels.contradictions(made(*pairs))
    assert (found.row, found.evidence) == (
        0,
        "“billing”, but “delivery” on line 2: “Where is it?”",
    )


@pytest.mark.parametrize("outvoted", [0, 1, 2])
def test_an_outvoted_row_is_not_told_again_as_a_near_contradiction(outvoted: int) -> None:
    pairs = [("Please stop my card payments", "block")] * 2
    pairs.insert(outvoted, ("Please stop my card payments", "pay"))
    found = labels.contradictions(made(*pairs, ("Please stop my card payment", "block")))
    assert found.rows == [outvoted]
    assert found.hints == ()


@pytest.mark.parametrize(("own", "doubted"), [(0.00900, [(9, 1)]), (0.00902, [])])
def test_a_label_is_doubted_below_a_hundredth_of_its_usual_probability(
    own: float, doubted: list[tuple[int, int]]
) -> None:
    import numpy as np

    given = [0] * 10 + [1] * 5
    odds = np.array([[1.0, 0.0]] * 9 + [[own, 1 - own]] + [[0.2, 0.8]] * 5)
    usual = (9 + own) / 10
    assert (own < 0.01 * usual) == bool(doubted)
    assert list(labels.confident_errors(odds, given)) == doubted


def test_a_row_as_probable_as_the_other_label_s_rows_are_is_taken_for_it() -> None:
    import numpy as np

    odds = np.array([[1.0, 0.0], [0.004, 0.75], [0.0, 0.75]])
    assert list(labels.confident_errors(odds, [0, 0, 1])) == [(1, 1)]


def test_prose_does_not_contradict_prose() -> None:
    replies = ("It left our warehouse this morning.", "We are sorry, it is not here yet, but soon.")
    assert list(labels.contradictions(made(*(("Where is it?", r) for r in replies)))) == []


def test_nearly_the_same_prompts_are_a_hint() -> None:
    pairs = (("Please stop my card payments", "block"), ("Please stop my card payment", "pay"))
    found = labels.contradictions(made(*pairs))
    assert list(found) == []
    assert [(f.row, f.kind, f.hint) for f in found.hints] == [(1, "near contradiction", True)]
    assert list(labels.contradictions(made(*pairs), similarity=0.99).hints) == []


def test_swapped_labels_are_hinted_at_with_little_else() -> None:
    pairs = tickets()
    others = {"delivery": "bug", "billing": "delivery", "bug": "billing"}
    swapped = {7, 30, 58, 83, 101}
    for k in swapped:
        pairs[k] = (pairs[k][0], others[pairs[k][1]])
    found = labels.errors(made(*pairs))
    rows = {f.row for f in found.hints}
    assert list(found) == []
    assert swapped <= rows
    assert len(rows) <= len(swapped) + 2
    assert "reads like" in found.hints[0].evidence


@pytest.mark.parametrize(
    ("between", "letters"),
    [(" ", ("abcdefgh", "stuvwxyz")), ("", ("天地人和日月山川", "水火木金土石田禾"))],
)
def test_words_of_one_letter_are_learnt_from(between: str, letters: tuple[str, str]) -> None:
    rng = random.Random(0)
    pairs = [
        (between.join(rng.choices(of_label, k=14)), label)
        for of_label, label in zip(letters, ("one", "other"), strict=True)
        for _ in range(30)
    ]
    pairs[7] = pairs[7][0], "other"
    assert [hint.line for hint in labels.errors(made(*pairs)).hints] == [8]


def test_the_odds_are_those_of_a_plain_cross_validation() -> None:
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.model_selection import PredefinedSplit, cross_val_predict
    from sklearn.naive_bayes import MultinomialNB

    rng, every = random.Random(0), " ".join(WORDS.values()).split()
    pairs = []
    for n in range(90):  # mixed words, one that occurs once, and one label in fifteen at random
        label = rng.choice([*WORDS])
        prompt = [
            *rng.choices(WORDS[label].split(), k=8),
            *rng.choices(every, k=2),
            label[1],
            f"once{n}",
        ]
        pairs.append((" ".join(prompt), label if n % 15 else rng.choice([*WORDS])))
    texts, known = [p for p, _ in pairs], [sorted(WORDS).index(label) for _, label in pairs]
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+", sublinear_tf=True)
    shares = {str(fold): 0.2 for fold in range(5)}
    singles = [[k] for k in range(len(texts))]
    parts = stratified_group_split([*map(str, known)], singles, shares, 1).values()
    folds = PredefinedSplit([next(i for i, p in enumerate(parts) if k in p) for [k] in singles])
    odds = cross_val_predict(
        MultinomialNB(alpha=0.03), words.fit_transform(texts), known,
        cv=folds, method="predict_proba",
    )  # fmt: skip
    hints = labels.errors(made(*pairs), seed=1).hints
    assert len(hints) >= 2
    for hint in hints:
        assert hint.row is not None
        own, other = odds[hint.row, known[hint.row]], np.max(odds[hint.row])
        assert f"({other:.2f} against {own:.2f}): " in hint.evidence


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=5, max_size=80),
    folds=st.integers(2, 5),
    seed=st.integers(0, 3),
)
def test_no_fold_is_empty_where_there_are_as_many_groups(
    rows: list[tuple[int, int]], folds: int, seed: int
) -> None:
    of_labels, groups = zip(*rows, strict=True)
    members = [*group_indices(groups, lambda group: group).values()]
    shares = {str(fold): 1 / folds for fold in range(folds)}
    parts = stratified_group_split([*map(str, of_labels)], members, shares, seed)
    assert len(members) < folds or all(parts.values())


def test_where_nothing_can_be_said_nothing_is() -> None:
    rare = made(*tickets(3), ("one of a kind", "other"))
    one = made(*((prompt, "same") for prompt, _ in tickets()))
    for dataset in (rare, one, made()):
        assert list(labels.errors(dataset).hints) == []


def test_of_many_rows_a_sample_is_looked_at_and_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(labels, "MAX_ROWS", 60)
    found = labels.errors(made(*tickets()))
    assert found.hints[0].evidence == "looked at 60 of the 120 rows, drawn at random"


def test_rows_that_are_all_alike_are_not_judged_and_a_hint_says_so() -> None:
    asked = {"delivery": "where is the parcel", "billing": "i did not pay the bill"}
    pairs = [(f"{asked[label]} {n}?", label) for n in range(9) for label in asked]
    (hint,) = labels.errors(made(*pairs)).hints
    assert hint.evidence == "not judged: all rows are near-duplicates of 2; 5 are needed"


APART = [
    ("Translate: avó", "Translate: avô"),
    ("What is 3² + 1?", "What is 32 + 1?"),
    ("You are coming.", "You are coming?"),
    ("A nationality: polish", "A nationality: Polish"),
    ("great", "great!!!"),
    ("ok :)", "ok :("),
    ("Please refund it", "Please re\u200bfund it"),
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_only_identical_contexts_contradict_each_other(one: str, other: str) -> None:
    classes = [("I paid twice", "yes"), ("Nothing came", "no")]
    found = labels.contradictions(made(*classes, (one, "yes"), (other, "no")))
    assert list(found) == []
    assert {f.kind for f in found.hints} <= {"near contradiction"}
    assert len(labels.contradictions(made(*classes, (one, "yes"), (one, "no")))) == 1


@pytest.mark.parametrize(
    "more", [{"images": ["b"]}, {"tools": [{"name": "f"}]}, {"system": "Text: another one."}]
)
def test_rows_that_are_given_something_else_do_not_contradict(more: dict[str, Any]) -> None:
    rows = [row("Good or bad?", reply) for reply in ("good", "bad", "good", "good")]
    if "system" in more:
        rows[1]["messages"].insert(0, {"role": "system", "content": more["system"]})
    else:
        rows[1] |= more
    assert list(labels.contradictions(Dataset.of(rows))) == []


def test_short_replies_of_a_chat_are_no_labels() -> None:
    chat = [("Hi", "Hello!"), ("Hi", "Hey there!"), ("Bye", "See you"), ("So?", "So what")]
    found = labels.contradictions(made(*chat))
    assert list(found) == []
    assert [(f.row, f.kind) for f in found.hints] == [(1, "contradiction")]


def test_labels_are_read_by_the_rule_of_the_project() -> None:
    def reply(label: str, n: int) -> str:
        return json.dumps({"team": label, "why": f"reason {n}"})

    pairs = [(prompt, reply(label, n)) for n, (prompt, label) in enumerate(tickets())]
    pairs += [(pairs[n][0], reply("bug" if n % 3 < 2 else "billing", -n)) for n in range(6)]
    pairs += [(pairs[9][0], reply("delivery", 99))]  # another reason for the same label
    rows = [row(*pair) for pair in pairs]
    by_rule = Dataset.of(rows, "train", Reading(json_field("team")))
    assert labels.contradictions(by_rule).rows == [*range(120, 126)]
    assert {e.label for e in by_rule} == {*WORDS}
    assert not labels.contradictions(Dataset.of(rows, "train"))
    assert len(labels.errors(by_rule).hints) >= 5
    assert not labels.errors(Dataset.of(rows, "train")).hints


DOCUMENTS = [" ".join(random.Random(n).choices("abcdefghijklm", k=40)) for n in range(8)]


def test_other_questions_on_one_document_contradict_nothing() -> None:
    asked = ("was it sold?", "is he well?", "did they win?", "are we late?")
    told = [(f"{text}\n\n{a}", a) for text in DOCUMENTS for a in asked]
    classes = made(*((prompt, "yes" if a < "c" else "no") for prompt, a in told))
    assert not labels.contradictions(classes, similarity=0.8).hints
    twice = made(*((p, "yes") for p, _ in told), (told[0][0].replace("sold", "solde"), "no"))
    assert [f.row for f in labels.contradictions(twice, similarity=0.8).hints] == [len(told)]
    answers = made(*((prompt, f"in {n} {a[:3]}") for n, (prompt, a) in enumerate(told)))
    assert not labels.contradictions(answers, similarity=0.5).hints  # no classes


@pytest.mark.parametrize(("again", "classes"), [(10, True), (9, False)])
def test_labels_are_those_of_classes_from_one_and_a_half_rows_each_on(
    again: int, classes: bool
) -> None:
    pairs = [(f"question {n}", f"answer {n}") for n in range(19)] + [("question 0", "answer 19")]
    pairs += [(f"another {n}", f"answer {n}") for n in range(again)]
    found = labels.contradictions(made(*pairs))
    hints = [f for f in found.hints if f.kind == "contradiction"]
    assert (len(found), len(hints)) == ((1, 0) if classes else (0, 1))


def test_labels_with_fewer_rows_than_folds_are_left_out() -> None:
    pairs = tickets()
    pairs[1], pairs[4], pairs[7] = ((pairs[k][0], "bug") for k in (1, 4, 7))
    few = [(f"{words} refund {n}", "other") for n, words in enumerate(["parcel"] * 4)]
    found = labels.errors(made(*pairs, *few)).hints
    assert found
    assert not any("“other”" in f.evidence for f in found)


def test_labels_that_are_wrong_are_missed_more_often_than_those_of_a_test_set() -> None:
    rng, names = random.Random(0), sorted(WORDS)
    rows = [
        (" ".join(rng.choices(WORDS[name].split(), k=6)) + f" n{n}", name)
        for n in range(150)
        for name in names
    ]
    train, test = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    of_train, of_test = labels.missed_labels(made(*train), made(*test))
    assert (of_train[0] / of_train[1], of_test[0] / of_test[1]) == pytest.approx((0, 0), abs=0.03)
    noisy = [(text, names[0] if n % 4 == 0 else name) for n, (text, name) in enumerate(train)]
    swapped = sum(a != b for a, b in zip(noisy, train, strict=True))
    of_noisy, of_test = labels.missed_labels(made(*noisy), made(*test))
    assert of_noisy[0] == pytest.approx(swapped, rel=0.2)
    assert of_test[0] / of_test[1] < 0.05


@pytest.mark.parametrize("rows", [[("a b", "one")] * 9, [(f"q {n}", f"r {n}") for n in range(9)]])
def test_without_classes_no_label_is_missed(rows: list[tuple[str, str]]) -> None:
    with pytest.raises(Unmeasurable):
        labels.missed_labels(made(*rows), made(*rows))
