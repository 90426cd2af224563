"""ROUGE is rouge-score's, with a tokenizer that knows more letters than 26."""

import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predicted import predicted

from tunegate import Predictions
from tunegate_checks.model.overlap import ROUGE_TYPES, Tokenizer, rouge

pytest.importorskip("rouge_score")

words = st.sampled_from(
    ["the", "The", "Cats", "cats", "sitting", "on", "mat", "dog", "42", "ticket-7", ",", "."]
)
texts = st.lists(st.one_of(words, st.just("\n")), max_size=14).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(texts, texts), min_size=1, max_size=6),
    st.sampled_from(list(ROUGE_TYPES)),
)
def test_of_plain_english_it_is_that_of_rouge_score(
    pairs: list[tuple[str, str]], kind: str
) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([ROUGE_TYPES[kind]], use_stemmer=False)
    known = [scorer.score(want, got)[ROUGE_TYPES[kind]].fmeasure for want, got in pairs]
    score = rouge(kind)(predicted(pairs))
    assert float(score) == pytest.approx(sum(known) / len(known))


def test_accents_are_letters() -> None:
    pairs = [("não é urgente", "nao e urgente")]
    assert float(rouge("1")(predicted(pairs))) == pytest.approx(1 / 3)
    composed, apart = "não", "na\u0303o"
    assert float(rouge("1")(predicted([(composed, apart)]))) == 1
    assert float(rouge("L")(predicted([("не срочно", "не срочно")]))) == 1


def test_the_signature_says_how() -> None:
    signature = rouge("Lsum").signature
    assert signature.startswith(
        "ROUGE-Lsum|F, mean|stem:no|words:unicode, or letters where no spaces are, "
        "lower-cased|rouge-"
    )
    assert float(rouge()(predicted([("two cats", "two cat")]))) == 0.5  # no stem is taken unasked


def test_a_missing_answer_scores_0() -> None:
    score = rouge()(predicted([("a b", "a b")] * 2, errors=[0]))
    assert (float(score), score.best_case) == (0.5, 1.0)


def test_mistakes_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="ROUGE kind is 'W'; one of 1, 2, L, Lsum is valid"):
        rouge("W")
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    with pytest.raises(ImportError, match=r"pip install 'tunegate\[text\]'$"):
        rouge()


WORDS = {
    "आपका पार्सल कल पहुँचेगा।": ["आपका", "पार्सल", "कल", "पहुँचेगा"],
    "হ্যাঁ, আগামীকাল": ["হ্যাঁ", "আগামীকাল"],
    "明日届く": ["明", "日", "届", "く"],
    "iPhone15を買う": ["iphone15", "を", "買", "う"],
    "พรุ่งนี้": list("พรุ่งนี้"),
    "안녕하세요 세계": ["안녕하세요", "세계"],
    "naïve_café 3.5": ["naïve", "café", "3", "5"],
    "na\u0303o": ["não"],
}


@pytest.mark.parametrize("text", WORDS)
def test_the_words_of_other_scripts(text: str) -> None:
    assert Tokenizer().tokenize(text) == WORDS[text]


def test_scripts_without_spaces_are_compared_letter_by_letter() -> None:
    near = ("ご注文の商品は明日届きます。", "ご注文の商品は明日お届けします。")
    far = ("ご注文の商品は明日届きます。", "雨が降る")
    assert float(rouge("L")(predicted([near]))) > 0.8
    assert float(rouge("L")(predicted([far]))) < 0.2
    other = ("आपकी किताब कल आएगी", "आपका कागज कल आएगा")  # one word of four
    assert float(rouge("1")(predicted([other]))) == pytest.approx(1 / 4)


def test_the_nearest_reference_counts() -> None:
    rows = [
        replace(p, references=["nothing", "the cat sat"])
        for p in predicted([("a dog", "the cat sat")])
    ]
    assert float(rouge()(Predictions(rows))) == 1
