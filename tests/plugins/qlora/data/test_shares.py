from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow
from tunegate_qlora.data.batches import (
    DistributedBatchSampler,
    LengthGroupedSampler,
    make_collator,
    pad_with_dummy_batch,
    split_among_ranks,
)
from tunegate_qlora.training import loss

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
    shares = [DistributedBatchSampler(batches, rank, world) for rank in range(world)]
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
