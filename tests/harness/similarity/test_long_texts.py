"""Long texts: which pairs are compared, by what, and that near ones are found all the same."""

import random
from importlib.util import find_spec
from itertools import combinations
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.similarity import connected_groups, deduplicate, long_texts, nearest, pairs, ratio

WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in ("", "n", "lo", "ris")]
HAN = [chr(0x4E00 + k) for k in range(600)]


def document(
    seed: int, letters: int, vocabulary: list[str] = WORDS, between: str = " "
) -> list[str]:
    rng, words = random.Random(seed), list[str]()
    while sum(map(len, words)) + len(between) * len(words) < letters:
        words.append(rng.choice(vocabulary))
    return words


def with_other_words(words: list[str], share: float, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [rng.choice(WORDS)[: len(word)] if rng.random() < share else word for word in words]


@settings(max_examples=5, deadline=None)
@given(
    seed=st.integers(0, 999),
    letters=st.sampled_from([700, 2100]),
    script=st.sampled_from([(WORDS, " "), (HAN, "")]),
)
def test_copies_with_other_words_here_and_there_are_found(
    seed: int, letters: int, script: tuple[list[str], str]
) -> None:
    vocabulary, between = script
    words = document(seed, letters, vocabulary, between)
    cut = words[: len(words) // 3] + words[len(words) // 3 + len(words) // 10 :]
    copies = [words, with_other_words(words, 0.06, seed), cut, [*words, "end"]]
    texts = [between.join(copy) for copy in copies]
    texts += [between.join(document(seed + k, letters, vocabulary, between)) for k in (1001, 1002)]
    found = {(p.i, p.j): p.similarity for p in pairs(texts, 0.85)}
    assert {(0, 1), (0, 2), (0, 3)} <= found.keys()
    assert all(max(i, j) <= 3 for i, j in found)
    assert all(ratio(texts[i], texts[j]) == near for (i, j), near in found.items())


def test_beyond_the_limit_a_word_counts_as_a_word_and_not_as_its_letters() -> None:
    short, long = document(1, 1700), document(1, 2100)
    for words, counts_words in ((short, False), (long, True)):
        other = ["x" + word if k % 4 == 0 else word for k, word in enumerate(words)]
        similarity = ratio(" ".join(words), " ".join(other))
        assert (similarity < 0.8) == counts_words, similarity


def test_texts_without_a_common_word_are_not_equal_once_letters_are_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(long_texts, "sys", SimpleNamespace(maxunicode=1023))
    monkeypatch.setattr(long_texts, "_letters", {})
    first, second = (" ".join(f"w{k}" for k in range(n, n + 1024)) for n in (0, 1024))
    assert ratio(first, second) < 0.2


def test_the_order_of_the_words_counts() -> None:
    words = document(1, 6000)
    sentences = [words[k : k + 12] for k in range(0, len(words), 12)]
    random.Random(0).shuffle(sentences)
    shuffled = " ".join(word for sentence in sentences for word in sentence)
    assert list(pairs([" ".join(words), shuffled], 0.85)) == []


@pytest.mark.parametrize("letters", [700, 3000])
def test_texts_that_share_no_runs_are_not_compared(
    monkeypatch: pytest.MonkeyPatch, letters: int
) -> None:
    compared = 0

    def counted(left: str, right: str, cutoff: float = 0.0) -> float:
        nonlocal compared
        compared += 1
        return ratio(left, right, cutoff)

    monkeypatch.setattr(long_texts, "ratio", counted)
    documents = [document(seed, letters) for seed in range(30)]
    texts = [" ".join(words) for words in documents]
    texts += [" ".join(with_other_words(words, 0.03)) for words in documents]
    groups = connected_groups(texts, 0.85)
    assert groups == [[k, k + 30] for k in range(30)]
    assert compared <= 2 * 30  # of 1,770 pairs


def test_the_left_and_the_right_may_be_long_or_short() -> None:
    words = document(5, 2200)
    long, short = " ".join(words), " ".join(words[: len(words) * 85 // 100])
    assert len(short) < long_texts.MAX_LETTERS < len(long)
    for left, right in ((long, short), (short, long), (long, long), (short, short)):
        (found,) = nearest([left, "a word"], ["another", right, "a ward"][:2], 0.85)
        assert (found.i, found.j, found.other_count) == (0, 1, 0)
        assert found.similarity == ratio(left, right)
    (kept,) = deduplicate(["a word", short, long], 0.85)
    assert (kept.i, kept.j) == (2, 1)


def test_one_letter_and_one_long_line() -> None:
    size = 20_000
    texts = ["a" * size, "a" * (size - 9), "b" * size, "ab" * (size // 2), " " * size, "." * size]
    assert [(p.i, p.j) for p in pairs(texts, 0.85)] == [(0, 1)]


def test_what_occurs_often_counts_as_often() -> None:
    """Two repeated lines are no near copy of one line and of another, repeated."""
    head, tail = " ".join(document(1, 300)), " ".join(document(2, 300))
    texts = [f"{head} " * 9 + tail, f"{head} " + f"{tail} " * 9]
    assert list(pairs(texts, 0.85)) == []


def of_one_world(seed: int, letters: int) -> list[str]:
    """Return documents that share sentences, and copies of them with other words."""
    rng = random.Random(seed)
    sentences = [[rng.choice(WORDS) for _ in range(rng.randrange(4, 14))] for _ in range(30)]
    texts = []
    for k in range(9):
        words = list[str]()
        while sum(map(len, words)) + len(words) < letters * rng.uniform(0.9, 1.1):
            words += rng.choice(sentences)
        texts += [" ".join(words), " ".join(with_other_words(words, rng.choice((0.03, 0.1)), k))]
    return texts


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 9999),
    letters=st.sampled_from([190, 500, 2000, 4000]),
    cutoff=st.sampled_from([0.75, 0.85, 0.95]),
)
def test_documents_that_share_sentences_are_found_if_they_are_near(
    seed: int, letters: int, cutoff: float
) -> None:
    texts = of_one_world(seed, letters)
    near = [(i, j) for i, j in combinations(range(len(texts)), 2)]
    near = [(i, j) for i, j in near if ratio(texts[i], texts[j]) >= cutoff]
    found = [(p.i, p.j) for p in pairs(texts, cutoff, fast=False)]
    assert sorted(found) == near


@pytest.mark.skipif(not find_spec("numba"), reason="numba is not installed")
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 9999), few=st.booleans(), cutoff=st.sampled_from([0.3, 0.7, 0.85]))
def test_the_compiled_search_finds_the_same_long_texts(seed: int, few: bool, cutoff: float) -> None:
    rng = random.Random(seed)
    texts = [text for size in (100, 300, 2100) for text in of_one_world(seed, size)]
    rng.shuffle(texts)
    left, right = texts[:30], texts[24:]
    with pytest.MonkeyPatch.context() as patch:
        if few:
            patch.setattr(long_texts, "SCREENED", 3)
            patch.setattr(long_texts, "TABLE_SIZE", 50)
        for search in (
            lambda fast: list(pairs(texts, cutoff, fast=fast)),
            lambda fast: list(deduplicate(texts, cutoff, fast=fast)),
            lambda fast: list(nearest(left, right, cutoff, fast=fast)),
        ):
            assert search(True) == search(False)
