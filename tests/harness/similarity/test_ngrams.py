"""Passages that texts share: how long they are, and when they are boilerplate."""

import pytest

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
