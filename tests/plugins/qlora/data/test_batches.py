from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow
from tunegate_qlora.config import Decoding
from tunegate_qlora.data.batches import (
    LengthGroupedSampler,
    make_collator,
    pad_with_dummy_batch,
    split_among_ranks,
)
from tunegate_qlora.model import weights
from tunegate_qlora.model.weights import load_base
from tunegate_qlora.training import loss

ROWS = [
    EncodedRow(i, [5] * (3 + i % 40), [IGNORE_INDEX] * (1 + i % 40) + [5, 5]) for i in range(230)
]


def test_every_row_is_in_one_batch() -> None:
    batches = list(LengthGroupedSampler(ROWS, 4, seed=3))
    assert sorted(i for batch in batches for i in batch) == list(range(230))
    assert len(batches) == len(LengthGroupedSampler(ROWS, 4, seed=3)) == 58


def test_batches_hold_rows_of_like_length() -> None:
    batches = LengthGroupedSampler(ROWS, 4, seed=3)
    widths = [[len(ROWS[i].ids) for i in batch] for batch in batches]
    padding = sum(max(w) * len(w) - sum(w) for w in widths)
    assert padding < 0.1 * sum(map(sum, widths))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    torch.manual_seed(0)
    first = list(LengthGroupedSampler(ROWS, 4, seed=3))
    torch.manual_seed(1)
    again = LengthGroupedSampler(ROWS, 4, seed=3)
    assert list(again) == first
    again.epoch = 1
    assert list(again) != first
    assert list(LengthGroupedSampler(ROWS, 4, seed=4)) != first


@pytest.mark.parametrize("narrow", [True, False])
def test_a_batch_is_padded_on_the_right_and_masked_there(narrow: bool) -> None:
    rows = [
        EncodedRow(1, [3, 9, 2], [IGNORE_INDEX, 9, 2]),
        EncodedRow(2, [3, 4, 5, 6, 2], [IGNORE_INDEX] * 4 + [2]),
    ]
    batch = make_collator(7, narrow=narrow)(rows)
    assert batch["input_ids"].tolist() == [[3, 9, 2, 7, 7], [3, 4, 5, 6, 2]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert not batch["labels"][:, 0].ne(IGNORE_INDEX).any()


def test_a_narrow_batch_has_the_loss_of_a_wide_one_and_of_the_model(base: Path) -> None:
    model = load_base(base, Decoding())
    rows = [
        EncodedRow(1, [3, 4, 5, 6, 7, 2], [IGNORE_INDEX, IGNORE_INDEX, 5, IGNORE_INDEX, 7, 2]),
        EncodedRow(2, [3, 9, 2], [IGNORE_INDEX, 9, 2]),
    ]
    found = [_loss(model, make_collator(0, narrow=narrow)(rows)) for narrow in (True, False)]
    batch = make_collator(0, narrow=False)(rows)
    own = float(model(**batch).loss)
    torch.testing.assert_close(found, [own, own])
    assert weights.supports_logits_to_keep(model)
    assert make_collator(0, narrow=True)(rows)["logits_to_keep"].tolist() == [0, 1, 3, 4]


def _loss(model: Any, batch: dict[str, torch.Tensor]) -> float:
    labels = batch.pop("labels")
    return float(loss.loss_per_token(model(**batch), labels))


def test_padding_changes_no_loss(base: Path) -> None:
    model = load_base(base, Decoding())
    rows = [
        EncodedRow(1, [3, 9, 2], [IGNORE_INDEX, 9, 2]),
        EncodedRow(2, [3, 4, 5, 6, 2], [IGNORE_INDEX] * 4 + [2]),
    ]
    collate = make_collator(0, narrow=True)
    together = loss.mean_loss(model, rows, 2, collate)
    apart = loss.mean_loss(model, rows, 1, collate)
    torch.testing.assert_close(together, apart, atol=2e-3, rtol=0)  # bfloat16 rounds


Counts = st.integers(min_value=1, max_value=40)
Few = st.integers(min_value=1, max_value=6)


def row(i: int) -> EncodedRow:
    return EncodedRow(i, [1] * (i % 5 + 2), [IGNORE_INDEX] + [1] * (i % 5 + 1))


@given(Counts, Few, Few)
def test_each_row_is_in_one_share_and_every_share_is_as_long(
    count: int, size: int, world: int
) -> None:
    rows = [row(i) for i in range(count)]
    batches = LengthGroupedSampler(rows, size, seed=0)
    shares = [LengthGroupedSampler(rows, size, 0, rank, world) for rank in range(world)]
    lists = [list(share) for share in shares]
    assert {len(found) for found in lists} == {len(shares[0])}
    assert sorted(i for found in lists for batch in found for i in batch) == list(range(count))
    in_turn = [batch for turn in zip(*lists, strict=True) for batch in turn if batch]
    assert in_turn == list(batches)  # a step of all is the step of one with more passes


@given(st.lists(st.integers(), min_size=1, max_size=30), Few)
def test_items_are_shared_out_and_what_is_borrowed_is_marked(items: list[int], world: int) -> None:
    told = [list(split_among_ranks(items, rank, world)) for rank in range(world)]
    assert len({len(found) for found in told}) == 1
    own = [item for turn in zip(*told, strict=True) for item, mine in turn if mine]
    assert own == items
    assert {item for found in told for item, mine in found if not mine} <= {items[0]}


def test_of_no_rows_a_batch_is_made_that_teaches_nothing() -> None:
    collate = pad_with_dummy_batch(make_collator(0, narrow=True), row(3))
    assert collate([row(1)])["labels"].ne(IGNORE_INDEX).any()
    empty = collate([])
    assert empty["labels"].eq(IGNORE_INDEX).all()
    logits = torch.randn(1, empty["labels"].shape[1] - 1, 7, requires_grad=True)
    found = loss.summed_loss(logits, empty["labels"])
    found.backward()
    assert found == 0
    assert logits.grad is not None
    assert not logits.grad.any()
