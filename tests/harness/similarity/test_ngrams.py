"""Passages that texts share: how long they are, and when they are boilerplate."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.similarity import ngrams

RUN = " ".join(f"word{n}" for n in range(13))


def test_a_run_has_thirteen_words() -> None:
    assert ngrams.long_ngrams(RUN, min_words=13) == [RUN]
    assert ngrams.long_ngrams(f"{RUN} more", min_words=13) == [
        RUN,
        f"{RUN.partition(' ')[2]} more",
    ]
    assert ngrams.long_ngrams(RUN.rpartition(" ")[0], min_words=1) == []


def test_texts_of_fewer_than_fifty_words_have_no_runs() -> None:
    words = [f"word{n}" for n in range(50)]
    assert ngrams.long_ngrams(" ".join(words[:49])) == []
    assert len(ngrams.long_ngrams(" ".join(words))) == 50 - 13 + 1


HAN = "".join(chr(0x4E00 + n) for n in range(100))


@pytest.mark.parametrize(
    ("text", "count", "size"),
    [
        (" ".join("éabcdefghijklmnopqrstuvwxyz" * 2), 27, 13),  # of one letter each, twice
        (" ".join(f"한글{n}" for n in range(50)), 38, 13),  # with spaces between its words
        ("".join(f"{chr(97 + n)}{HAN[n]}" for n in range(25)), 38, 13),  # one half of them each
        (HAN, 75, 26),
        (HAN[:99], 0, 0),
    ],
)
def test_letters_are_words_where_most_words_are_letters_of_a_script_without_spaces(
    text: str, count: int, size: int
) -> None:
    found = ngrams.long_ngrams(text)
    assert (len(found), len({*ngrams.ngram_hashes(text)})) == (count, count)
    assert {len(ngram.split()) for ngram in found} == ({size} if count else set())


@pytest.mark.parametrize(("left", "right", "found"), [(1, 9, 1), (1, 10, 0), (5, 5, 5), (5, 6, 0)])
def test_a_run_in_more_than_ten_texts_is_boilerplate(left: int, right: int, found: int) -> None:
    def text(side: str, i: int) -> str:
        return f"{RUN} {' '.join(f'{side}{i}x{n}' for n in range(40))}"

    ours = [text("left", i) for i in range(left)]
    theirs = [text("right", i) for i in range(right)]
    assert list(ngrams.shared_ngrams(ours, theirs)) == [(i, 0, RUN) for i in range(found)]


def test_of_several_texts_that_share_passages_the_first_is_named() -> None:
    def filled(*parts: str, side: str) -> str:
        return " ".join([*parts, *(f"{side}{n}" for n in range(40))])

    other = RUN.replace("word", "other")
    ours = [filled(RUN, "between", other, side="left")]
    theirs = [filled(other, side="a"), filled(RUN, side="b"), filled(RUN, other, side="c")]
    assert list(ngrams.shared_ngrams(ours, theirs)) == [(0, 0, other)]
    assert list(ngrams.shared_ngrams(ours, theirs[1:])) == [(0, 0, RUN)]
    assert list(ngrams.shared_ngrams(ours, theirs[::-1])) == [(0, 0, RUN)]


# Blocks of ten words, or of so many letters of a script without spaces.
SIDE = st.lists(st.lists(st.sampled_from("PQRSTUV中日"), min_size=4, max_size=14), max_size=8)


def _text(blocks: Sequence[str]) -> str:
    return " ".join(
        " ".join(f"{b}{n}" for n in range(10)) if b.isascii() else b * 9 for b in blocks
    )


@given(SIDE, SIDE)
def test_passages_that_are_shared_are_those_that_comparing_strings_finds(
    ours: list[list[str]], theirs: list[list[str]]
) -> None:
    left, right = [*map(_text, ours)], [*map(_text, theirs)]
    left_rows = ngrams.indices_by_key(map(ngrams.long_ngrams, left))
    right_rows = ngrams.indices_by_key(map(ngrams.long_ngrams, right), only=left_rows)
    found: dict[int, tuple[int, str]] = {}
    for ngram, rows in left_rows.items():
        matches = right_rows.get(ngram, [])
        if matches and len(matches) + len(rows) <= ngrams.BOILERPLATE_ROWS:
            for i in rows:
                if i not in found or matches[0] < found[i][0]:
                    found[i] = (matches[0], ngram)
    assert list(ngrams.shared_ngrams(left, right)) == [(i, *found[i]) for i in sorted(found)]
    by_hash = ngrams.indices_by_key(map(ngrams.ngram_hashes, left))
    assert sorted(by_hash.values()) == sorted(left_rows.values())
