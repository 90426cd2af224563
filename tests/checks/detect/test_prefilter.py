"""The prefilter leaves out only rules that find nothing."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate_checks.detect.engine import personal_spans
from tunegate_checks.detect.prefilter import Clues, Prefilter
from tunegate_checks.detect.rule import Rule
from tunegate_checks.detect.rules import RULES

TESTS = Path(__file__).parents[1]
FILES = ["data/brazilian_sentences.jsonl", "detect/language_sentences.jsonl"]
SENTENCES = [
    re.sub(r"⟦\w+?:(.*?)⟧", r"\1", json.loads(line)["text"])
    for file in FILES
    for line in (TESTS / file).read_text(encoding="utf-8").splitlines()
]


def everywhere(_: Prefilter, text: str, *rest: object) -> Iterator[tuple[int, int, int]]:
    """Search the whole text for every rule."""
    for index, rule in enumerate(RULES):
        for match in re.finditer(rule.pattern, text, re.IGNORECASE):
            yield index, *match.span("v" if "v" in match.re.groupindex else 0)


def assert_same(texts: list[str]) -> None:
    found = {text: personal_spans(text) for text in texts}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Prefilter, "matches", everywhere)
        assert {
            text: spans for text in texts if (spans := personal_spans(text)) != found[text]
        } == {}


def test_frozen_sentences_give_the_same_with_and_without_it() -> None:
    assert_same(SENTENCES[::6])


PIECES = st.lists(
    st.one_of(
        st.sampled_from([word for text in SENTENCES for word in text.split(" ")]),
        st.sampled_from(
            [*",;:-./()+@#=$", "R$", "\n\n", "\u0308", *"жİ½ª漢", "1", "23", "456", "7890"]
        ),
    ),
    max_size=14,
)


@settings(max_examples=150)
@given(PIECES, st.sampled_from([" ", "", "\n"]))
def test_any_text_gives_the_same_with_and_without_it(pieces: list[str], gap: str) -> None:
    assert_same([gap.join(pieces)[:190]])


@pytest.mark.parametrize("text", ["", "É", "٣ x", "\ud800 1", "İstanbul 42", "ß" * 9 + "7"])
def test_clues_have_the_length_of_the_text(text: str) -> None:
    clues = Clues(text.replace("İ", "ª"))
    assert len(clues.shape) == len(clues.words) - 2 == len(text)
    assert all(text[a:b].strip() for _, a, b in clues.numbers)


def test_a_rule_is_tried_by_words_signs_digits_and_labels() -> None:
    rules = [
        Rule("word", "nota fiscal", first_words=frozenset(("nota",))),
        Rule("sign", r"\d+\$", min_digits=2, signs=("0$", "0A")),
        Rule("label", r"\d+", label_families=("phone",), min_digits=3),
    ]

    def tried(text: str, *families: str) -> list[str]:
        matches = Prefilter(rules).matches(text, Clues(text), lambda: families)
        return [f"{rules[i].kind}: {text[a:b]}" for i, a, b in matches]

    assert tried("Nota fiscal, nota  fiscal") == ["word: Nota fiscal"]
    assert tried("denota fiscal") == []
    assert tried("1$, 22$") == ["sign: 1$", "sign: 22$"]
    assert tried("1$ or 2") == []
    assert tried("123") == tried("12", "phone") == tried("123", "card") == []
    assert tried("123", "phone") == ["label: 123"]


def test_signs_are_written_as_the_texts_in_which_they_are_looked_for() -> None:
    for rule in RULES:
        letter = "[^a-z1-9]" if rule.min_digits else "[^A-Z1-9]"  # an outline; a shape
        assert all(re.fullmatch(f"{letter}+", sign) for sign in rule.signs), rule.kind
