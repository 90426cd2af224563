"""The beginnings that texts share, against their definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.similarity.ngrams import MIN_LETTERS, MIN_TEXTS, shared_beginnings

WORDS = ["instruction", "questionnaire", "a", "film", "films"]
sentences = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


def all_beginnings(text: str) -> list[str]:
    """Those in whole words that are long enough, and not the whole text."""
    words = text.split(" ")
    found = ("".join(f"{word} " for word in words[:n]) for n in range(1, len(words)))
    return [beginning for beginning in found if len(beginning) > MIN_LETTERS]


@given(st.lists(sentences, max_size=14), st.integers(2, 4))
def test_what_enough_different_texts_begin_with_is_shared(texts: list[str], fewest: int) -> None:
    sizes = shared_beginnings(texts, fewest)
    different = {*texts}

    def is_shared(beginning: str) -> bool:
        return sum(text.startswith(beginning) for text in different) >= fewest

    sharing = {text for text in different if any(map(is_shared, all_beginnings(text)))}
    enough = 2 * (len(sharing) - MIN_TEXTS) >= len(different)
    for text, size in zip(texts, sizes, strict=True):
        assert (size > 0) == (enough and text in sharing)
        assert not size or (text[:size] in all_beginnings(text) and is_shared(text[:size]))


mixed = st.text("解释“”ａ! a\U0010ffff", max_size=8)


@given(
    st.lists(st.builds(lambda end: "解释下面的概念，并举一个例子说明它的用途和意义" + end, mixed))
)
def test_signs_before_letters_of_scripts_without_spaces(texts: list[str]) -> None:
    """A quotation mark that all have in common is no whole word: the search goes on behind it."""
    for text, size in zip(texts, shared_beginnings(texts, 2), strict=True):
        beginning = text[:size]
        assert not size or sum(other.startswith(beginning) for other in {*texts}) >= 2


TASK = "Classify the sentiment of this review: "
OTHER = "Which team should answer this message? "


@pytest.mark.parametrize(
    ("texts", "shared"),
    [
        ([TASK + word for word in ("good", "bad", "fine", "odd", "poor", "rich")], [TASK] * 6),
        ([TASK + word for word in ("good", "bad", "fine", "odd", "poor")], [""] * 5),
        ([TASK + "good"] * 9, [""] * 9),  # copies
        ([f"{t}{w}" for t in (TASK, OTHER) for w in "abcd"], [TASK] * 4 + [OTHER] * 4),
        # An opening of several templates is only the beginning of each.
        (
            [f"You are a careful annotator. {t}{w}" for t in (TASK, OTHER) for w in "abcd"],
            [f"You are a careful annotator. {t}" for t in (TASK, OTHER) for _ in "abcd"],
        ),
        (
            ["请阅读下面的客户评论，并判断作者的情感是正面还是负面" + w for w in "好坏快慢多少"],
            ["请阅读下面的客户评论，并判断作者的情感是正面还是负面"] * 6,
        ),
        # One row has another, and one nothing else.
        (
            [*(TASK + word for word in "abcdefgh"), "Why?", TASK.strip()],
            [TASK] * 8 + ["", ""],
        ),
    ],
)
def test_templates(texts: list[str], shared: list[str]) -> None:
    sizes = shared_beginnings(texts, 3)
    assert [text[:size] for text, size in zip(texts, sizes, strict=True)] == shared
