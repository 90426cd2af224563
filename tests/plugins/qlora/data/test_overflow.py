from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow, NotTrainable
from tunegate_qlora.config import Settings
from tunegate_qlora.data.training_data import apply_overflow, max_row_tokens


def row(*spans: tuple[int, bool], line: int = 1) -> EncodedRow:
    """Make a row of spans: how long, and whether the loss falls on it."""
    marks = [trained for length, trained in spans for _ in range(length)]
    ids = list(range(100, 100 + len(marks)))
    return EncodedRow(
        line, ids, [i if t else IGNORE_INDEX for i, t in zip(ids, marks, strict=True)]
    )


SHORT, LONG = row((3, False), (2, True)), row((8, False), (2, True), line=7)
LONGER = row((9, False), (3, True), line=8)


def test_a_row_that_is_too_long_stops_a_training() -> None:
    with pytest.raises(NotTrainable, match=r"1 of 2 rows are longer than 6 tokens.*line 7: 10\)"):
        apply_overflow([SHORT, LONG], 6, "raise")


@pytest.mark.parametrize("rows", [[LONG, SHORT, LONGER], [LONGER, LONG, SHORT]])
def test_of_rows_that_are_too_long_the_longest_is_named(rows: list[EncodedRow]) -> None:
    with pytest.raises(NotTrainable, match=r"2 of 3 rows .* \(the longest, line 8: 12\)"):
        apply_overflow(rows, 6, "raise")


def test_a_row_as_long_as_may_be_fits() -> None:
    for on_overflow in ("raise", "drop", "truncate"):
        assert apply_overflow([SHORT], 5, on_overflow) == [SHORT]


def test_a_row_that_is_too_long_can_be_set_aside() -> None:
    assert apply_overflow([SHORT, LONG], 6, "drop") == [SHORT]


def test_cutting_takes_the_prompt_s_start_and_leaves_the_answer() -> None:
    kept, cut = apply_overflow([SHORT, LONG], 6, "truncate")
    assert kept is SHORT
    assert cut.ids == LONG.ids[-6:]
    assert cut.labels[-2:] == LONG.labels[-2:]
    assert cut.trained_tokens == 2


def test_a_row_that_is_one_token_too_long_is_cut_to_the_prompt_s_last_and_the_answer() -> None:
    short = row((2, False), (1, True))
    (cut,) = apply_overflow([short], 2, "truncate")
    assert (cut.ids, cut.labels) == (short.ids[1:], short.labels[1:])


def test_of_a_row_that_fits_every_answer_is_trained_on() -> None:
    answers = row((2, True), (1, False), (2, True))
    assert apply_overflow([answers], 5, "truncate") == [answers]


def test_rows_that_fit_raise_nothing() -> None:
    assert apply_overflow([SHORT, LONG], 10, "raise") == [SHORT, LONG]


@pytest.mark.parametrize("longest", [1, 2])
def test_an_answer_is_never_cut(longest: int) -> None:
    with pytest.raises(NotTrainable, match="line 7: 10 tokens cannot be cut"):
        apply_overflow([LONG], longest, "truncate")


def test_an_answer_that_the_cut_goes_through_is_not_trained_on() -> None:
    two = row((2, False), (4, True), (2, False), (2, True))
    (cut,) = apply_overflow([two], 6, "truncate")
    assert cut.labels == [IGNORE_INDEX] * 4 + two.labels[-2:]


def test_no_row_is_longer_than_the_base_reads(base: Path) -> None:
    assert (
        max_row_tokens(Settings(base="b", max_length=1024), base) == 256
    )  # its max_position_embeddings
    assert max_row_tokens(Settings(base="b", max_length=100), base) == 100


@pytest.mark.parametrize(
    ("config", "longest"),
    [
        ({}, 1024),
        ({"max_position_embeddings": None}, 1024),
        ({"max_position_embeddings": -1, "text_config": None}, 1024),
        ({"n_positions": 512}, 512),
        ({"n_ctx": 1}, 1),
        ({"text_config": {"max_position_embeddings": 128}}, 128),
        ({"max_sequence_length": 512, "text_config": {"n_positions": 128}}, 128),
    ],
)
def test_the_context_is_what_the_base_says_where_it_says_any(
    tmp_path: Path, config: dict[str, object], longest: int
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert max_row_tokens(Settings(base="b", max_length=1024), tmp_path) == longest
