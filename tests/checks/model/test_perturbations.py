"""Perturbations change how a text is written, and nothing else: each has its law."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate_checks.model import perturbations as m

ALPHABET = "abcxyzABCXYZ áàãâçéêíóõôúÁÇÉÕ 0123456789 .,;!?-'"


def letters(text: str) -> str:
    """Return a text without case and accents."""
    return "".join(
        c for c in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(c)
    )


texts = st.text(ALPHABET, max_size=60)
numbers = st.integers(0, 2**16)


@given(texts, numbers)
@pytest.mark.parametrize(
    "change",
    [*map(m.PERTURBATIONS.get, ("capitals", "small letters")), m.title_case, m.drop_accents],
)
def test_case_and_accents_say_the_same(change: m.Perturbation, text: str, which: int) -> None:
    changed = change(text, which)
    assert letters(changed) == letters(text)
    assert change(changed, which) == changed
    assert len(changed) == len(text)


@given(texts)
def test_no_accent_is_left(text: str) -> None:
    plain = m.drop_accents(text)
    assert not any(unicodedata.combining(c) for c in unicodedata.normalize("NFD", plain))


@pytest.mark.parametrize("text", ["мой заказ", "ёлка", "日本が", "naïve café"[0:2]])
def test_other_scripts_keep_their_marks(text: str) -> None:
    assert m.drop_accents(text) == text


@given(texts, numbers)
def test_a_typo_is_one_letter_beside_its_own(text: str, which: int) -> None:
    changed = m.add_typo(text, which)
    apart = [(a, b) for a, b in zip(text, changed, strict=True) if a != b]
    assert len(apart) == any(c.lower() in m._NEIGHBOUR_KEYS for c in text)
    for was, now in apart:
        assert now.lower() in m._NEIGHBOUR_KEYS[was.lower()]
        assert now.isupper() == was.isupper()


def test_every_key_has_its_neighbours_both_ways() -> None:
    assert set(m._NEIGHBOUR_KEYS) == set("abcdefghijklmnopqrstuvwxyz")
    assert all(a in m._NEIGHBOUR_KEYS[b] for a, beside in m._NEIGHBOUR_KEYS.items() for b in beside)
    assert m._NEIGHBOUR_KEYS["g"] == "fh"


@given(texts, numbers)
def test_white_space_moves_no_word(text: str, which: int) -> None:
    changed = m.add_space(text, which)
    assert changed.split() == text.split()
    assert len(changed) == len(text) + 1


@given(texts, numbers)
def test_a_greeting_stands_in_front(text: str, which: int) -> None:
    changed = m.PERTURBATIONS["greeting"](text, which)
    assert changed.endswith(text)
    assert changed.removesuffix(text) in m.GREETINGS


def test_some_of_each() -> None:
    text = "Não recebi o pedido d'Ana"
    assert {name: change(text, 0) for name, change in m.PERTURBATIONS.items()} == {
        "capitals": "NÃO RECEBI O PEDIDO D'ANA",
        "small letters": "não recebi o pedido d'ana",
        "title case": "Não Recebi O Pedido D'Ana",
        "accents": "Nao recebi o pedido d'Ana",
        "typo": "Bão recebi o pedido d'Ana",
        "white space": "Não  recebi o pedido d'Ana",
        "greeting": "Hi! Não recebi o pedido d'Ana",
    }
