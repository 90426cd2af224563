from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tunegate.encode import IGNORED, Row
from tunegate_qlora import loss
from tunegate_qlora.batches import LengthGrouped, collator
from tunegate_qlora.config import Decoding
from tunegate_qlora.quantise import load

ROWS = [Row(i, [5] * (3 + i % 40), [IGNORED] * (1 + i % 40) + [5, 5]) for i in range(230)]


def test_every_row_is_in_one_batch() -> None:
    batches = list(LengthGrouped(ROWS, 4, seed=3))
    assert sorted(i for batch in batches for i in batch) == list(range(230))
    assert len(batches) == len(LengthGrouped(ROWS, 4, seed=3)) == 58


def test_batches_hold_rows_of_like_length() -> None:
    batches = LengthGrouped(ROWS, 4, seed=3)
    widths = [[len(ROWS[i].ids) for i in batch] for batch in batches]
    padding = sum(max(w) * len(w) - sum(w) for w in widths)
    assert padding < 0.1 * sum(map(sum, widths))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    torch.manual_seed(0)
    first = list(LengthGrouped(ROWS, 4, seed=3))
    torch.manual_seed(1)
    again = LengthGrouped(ROWS, 4, seed=3)
    assert list(again) == first
    again.epoch = 1
    assert list(again) != first
    assert list(LengthGrouped(ROWS, 4, seed=4)) != first


@pytest.mark.parametrize("narrow", [True, False])
def test_a_batch_is_padded_on_the_right_and_masked_there(narrow: bool) -> None:
    rows = [Row(1, [3, 9, 2], [IGNORED, 9, 2]), Row(2, [3, 4, 5, 6, 2], [IGNORED] * 4 + [2])]
    batch = collator(7, narrow=narrow)(rows)
    assert batch["input_ids"].tolist() == [[3, 9, 2, 7, 7], [3, 4, 5, 6, 2]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert not batch["labels"][:, 0].ne(IGNORED).any()


def test_a_narrow_batch_has_the_loss_of_a_wide_one_and_of_the_model(base: Path) -> None:
    model = load(base, Decoding())
    rows = [
        Row(1, [3, 4, 5, 6, 7, 2], [IGNORED, IGNORED, 5, IGNORED, 7, 2]),
        Row(2, [3, 9, 2], [IGNORED, 9, 2]),
    ]
    found = [_loss(model, collator(0, narrow=narrow)(rows)) for narrow in (True, False)]
    batch = collator(0, narrow=False)(rows)
    own = float(model(**batch).loss)
    torch.testing.assert_close(found, [own, own])
    assert loss.narrows(model)
    assert collator(0, narrow=True)(rows)["logits_to_keep"].tolist() == [0, 1, 3, 4]


def _loss(model: Any, batch: dict[str, torch.Tensor]) -> float:
    labels = batch.pop("labels")
    return float(loss.per_token(model(**batch), labels))


def test_padding_changes_no_loss(base: Path) -> None:
    model = load(base, Decoding())
    rows = [Row(1, [3, 9, 2], [IGNORED, 9, 2]), Row(2, [3, 4, 5, 6, 2], [IGNORED] * 4 + [2])]
    collate = collator(0, narrow=True)
    together = loss.measure(model, rows, 2, collate)
    apart = loss.measure(model, rows, 1, collate)
    torch.testing.assert_close(together, apart, atol=2e-3, rtol=0)  # bfloat16 rounds
