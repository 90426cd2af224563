"""Perturbations change how a text is written and nothing else; flips are counted and made small."""

from __future__ import annotations

import re
import unicodedata

import pytest
from asking import Asked, silent, tickets
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate import Unmeasurable
from tunegate.results import labels
from tunegate.results.outcome import collect_outcomes
from tunegate_checks.model import relations, robustness

WORDS = ("o", "pacote", "da", "loja", "não", "chegou", "e", "queria", "saber", "quando", "vem")
ROWS = tickets([(" ".join([*WORDS[i % 5 :], "invoice", str(i)]), "ab"[i % 2]) for i in range(60)])


def steady(text: str) -> str:
    return "ab"[int("".join(filter(str.isdigit, text)) or 0) % 2]


def shy(text: str) -> str:
    """Loses its head over one word in capitals."""
    return "a" if "INVOICE" in text else "b"


def test_a_steady_model_flips_nothing() -> None:
    model = Asked(steady)
    score = robustness.flips(model.of(ROWS), ROWS, model)
    assert (float(score), score.hits, score.hints) == (0.0, 0, ())
    assert score.n == 20 * 6  # nothing is in capitals: small letters change no row
    assert 0.04 < score.high < 0.1  # rows that are written in several ways are one unit


def test_flips_are_counted_by_kind_and_made_small() -> None:
    model = Asked(shy)
    score = robustness.flips(model.of(ROWS), ROWS, model)
    assert (score.hits, score.n) == (20, 120)
    assert score.detail.splitlines()[0].split() == ["capitals", "20", "of", "20"]
    assert score.misses is not None
    assert score.misses.kinds == {"capitals": 20}
    small = sorted((f.evidence for f in score.misses), key=len)[:4]
    assert all(re.fullmatch(r"b -> a: “INVOICE( \d+)?”", evidence) for evidence in small)
    assert "capitals 20 of 20" in score.hints[0]
    assert small[0] in score.hints[1]


def test_the_first_flip_of_each_kind_is_made_small_first() -> None:
    def touchy(text: str) -> str:
        return "b" if "invoice" in text else "a"  # capitals, title case and many typos

    model = Asked(touchy)
    found = robustness.flips(model.of(ROWS), ROWS, model, calls=100).misses
    assert found is not None
    small = {f.kind for f in found if len(f.evidence) < 30}
    assert small >= {"capitals", "title case"}


def test_a_half_that_means_something_else_is_no_smaller_flip() -> None:
    def reply(text: str) -> str:
        if "invoice" in text.lower():
            return "a" if text.isupper() else "b"
        return "d" if text.isupper() else "c"  # flips too, from a label that nobody asked about

    model, capitals = Asked(reply), {"capitals": robustness.PERTURBATIONS["capitals"]}
    rows = tickets([(f"one two three four invoice {i} five six", "b") for i in range(9)])
    found = robustness.flips(model.of(rows), rows, model, perturbations=capitals).misses
    assert found is not None
    assert [f.evidence for f in found] == ["b -> a: “INVOICE”"] * 9


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 300))
def test_no_more_is_asked_than_was_allowed(calls: int) -> None:
    model = Asked(lambda text: str(len(text)))  # every change flips
    robustness.flips(model.of(ROWS), ROWS, model, calls=calls)
    assert sum(model.batches) <= calls


def test_the_same_is_asked_each_time() -> None:
    asked: list[list[str]] = [[], []]
    for texts in asked:
        model = Asked(lambda text, texts=texts: texts.append(text) or "a")  # type: ignore[misc]
        robustness.flips(Asked(steady).of(ROWS), ROWS, model)
    assert asked[0] == asked[1]


def test_every_row_is_as_likely_as_the_next() -> None:
    """A rate says something of the test set only where its rows were drawn evenly."""
    kinds = {str(i): robustness.PERTURBATIONS["capitals"] for i in range(60)}
    model = Asked(steady)
    drawn = relations.Relation("any", kinds, calls=int(60 * 20 / 0.7) + 1)
    trials = list(drawn.draw(model.of(ROWS), ROWS, labels.exact.read))
    times = [sum(t.example.row == row for t in trials) for row in range(60)]
    assert sum(times) == 60 * 20
    assert 8 <= min(times) <= max(times) <= 34  # binomial(60, 1/3): 20 +- 4 standard deviations


def test_a_missing_answer_may_be_a_flip() -> None:
    def late(text: str) -> str:
        if text.isupper():
            raise TimeoutError("429")
        return "a"

    model = Asked(late)
    score = robustness.flips(model.of(ROWS), ROWS, model)
    assert (score.hits, score.errors, score.best_case) == (20, 20, 0.0)
    assert score <= 0.2
    with pytest.raises(Unmeasurable, match="20 of 120 answers could not be had"):
        assert score <= 0.1


def test_rows_without_an_answer_are_not_tried() -> None:
    def never(text: str) -> str:
        raise TimeoutError("429")

    assert not robustness.flips(Asked(never).of(ROWS), ROWS, Asked(steady)).n


def test_labels_are_read_by_the_rule() -> None:
    from tunegate.results.labels import json_field

    rows = tickets([(asked.prompt, f'{{"team": "{asked.reply}"}}') for asked in ROWS])
    chatty = Asked(lambda text: f'{{"team": "a", "of": {len(text)}}}')
    score = robustness.flips(chatty.of(rows), rows, chatty, label=json_field("team"))
    assert (score.n, score.hits) == (120, 0)


@pytest.mark.parametrize("what", ["prose", "a file", "no calls", "no user"])
def test_nothing_to_judge(what: str) -> None:
    rows, ask, calls = ROWS, Asked(steady), 200
    if what == "prose":
        rows = tickets([("why?", "Because of the weather. It rained the whole day long.")] * 3)
    if what == "no user":
        rows = tickets([("", "a")] * 3)
    if what == "no calls":
        calls = 0
    asked = silent if what == "a file" else ask
    score = robustness.flips(ask.of(rows), rows, asked, calls=calls)
    with collect_outcomes() as ledger:
        assert score <= None
    assert ledger[0].data["idle"]
    if what == "prose":
        assert score <= 0.0  # holds any limit
    else:  # a limit that was set wants a measurement
        with pytest.raises(Unmeasurable):
            assert score <= 0.5


ALPHABET = "abcxyzABCXYZ áàãâçéêíóõôúÁÇÉÕ 0123456789 .,;!?-'"
texts = st.text(ALPHABET, max_size=60)
numbers = st.integers(0, 2**16)


def letters(text: str) -> str:
    """Return a text without case and accents."""
    return "".join(
        c for c in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(c)
    )


@given(texts, numbers)
@pytest.mark.parametrize("kind", ["capitals", "small letters", "title case", "accents"])
def test_case_and_accents_say_the_same(kind: str, text: str, which: int) -> None:
    change = robustness.PERTURBATIONS[kind]
    changed = change(text, which)
    assert letters(changed) == letters(text)
    assert change(changed, which) == changed
    assert len(changed) == len(text)


@given(texts)
def test_no_accent_is_left(text: str) -> None:
    plain = robustness.drop_accents(text)
    assert not any(unicodedata.combining(c) for c in unicodedata.normalize("NFD", plain))


@pytest.mark.parametrize("text", ["мой заказ", "ёлка", "日本が", "naïve café"[0:2]])
def test_other_scripts_keep_their_marks(text: str) -> None:
    assert robustness.drop_accents(text) == text


@given(texts, numbers)
def test_a_typo_is_one_letter_beside_its_own(text: str, which: int) -> None:
    changed = robustness.add_typo(text, which)
    apart = [(a, b) for a, b in zip(text, changed, strict=True) if a != b]
    assert len(apart) == any(c.lower() in robustness._NEIGHBOUR_KEYS for c in text)
    for was, now in apart:
        assert now.lower() in robustness._NEIGHBOUR_KEYS[was.lower()]
        assert now.isupper() == was.isupper()


def test_every_key_has_its_neighbours_both_ways() -> None:
    keys = robustness._NEIGHBOUR_KEYS
    assert set(keys) == set("abcdefghijklmnopqrstuvwxyz")
    assert all(a in keys[b] for a, beside in keys.items() for b in beside)
    assert keys["g"] == "fh"


@given(texts, numbers)
def test_white_space_moves_no_word(text: str, which: int) -> None:
    changed = robustness.add_space(text, which)
    assert changed.split() == text.split()
    assert len(changed) == len(text) + 1


@given(texts, numbers)
def test_a_greeting_stands_in_front(text: str, which: int) -> None:
    changed = robustness.PERTURBATIONS["greeting"](text, which)
    assert changed.endswith(text)
    assert changed.removesuffix(text) in robustness.GREETINGS


def test_some_of_each() -> None:
    text = "Não recebi o pedido d'Ana"
    assert {name: change(text, 0) for name, change in robustness.PERTURBATIONS.items()} == {
        "capitals": "NÃO RECEBI O PEDIDO D'ANA",
        "small letters": "não recebi o pedido d'ana",
        "title case": "Não Recebi O Pedido D'Ana",
        "accents": "Nao recebi o pedido d'Ana",
        "typo": "Bão recebi o pedido d'Ana",
        "white space": "Não  recebi o pedido d'Ana",
        "greeting": "Hi! Não recebi o pedido d'Ana",
    }
