from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.encode import IGNORED, Row, Unfit
from tunegate_qlora.config import Settings
from tunegate_qlora.fit import fit, limit


def row(*spans: tuple[int, bool], line: int = 1) -> Row:
    """Make a row of spans: how long, and whether the loss falls on it."""
    marks = [trained for length, trained in spans for _ in range(length)]
    ids = list(range(100, 100 + len(marks)))
    return Row(line, ids, [i if t else IGNORED for i, t in zip(ids, marks, strict=True)])


SHORT, LONG = row((3, False), (2, True)), row((8, False), (2, True), line=7)


def test_a_row_that_is_too_long_stops_a_training() -> None:
    with pytest.raises(Unfit, match=r"1 of 2 rows are longer than 6 tokens.*line 7: 10\)"):
        fit([SHORT, LONG], 6, "raise")


def test_a_row_that_is_too_long_can_be_set_aside() -> None:
    assert fit([SHORT, LONG], 6, "drop") == [SHORT]


def test_cutting_takes_the_prompt_s_start_and_leaves_the_answer() -> None:
    kept, cut = fit([SHORT, LONG], 6, "truncate")
    assert kept is SHORT
    assert cut.ids == LONG.ids[-6:]
    assert cut.labels[-2:] == LONG.labels[-2:]
    assert cut.trained == 2


@pytest.mark.parametrize("longest", [1, 2])
def test_an_answer_is_never_cut(longest: int) -> None:
    with pytest.raises(Unfit, match="line 7: 10 tokens cannot be cut"):
        fit([LONG], longest, "truncate")


def test_an_answer_that_the_cut_goes_through_is_not_trained_on() -> None:
    two = row((2, False), (4, True), (2, False), (2, True))
    (cut,) = fit([two], 6, "truncate")
    assert cut.labels == [IGNORED] * 4 + two.labels[-2:]


def test_no_row_is_longer_than_the_base_reads(base: Path) -> None:
    assert limit(Settings(base="b", max_length=1024), base) == 256  # its max_position_embeddings
    assert limit(Settings(base="b", max_length=100), base) == 100
