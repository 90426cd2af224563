from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow
from tunegate_qlora.config.settings import Decoding
from tunegate_qlora.data.batches import LengthGroupedSampler, make_collator
from tunegate_qlora.model.load import load_base
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
    assert loss.supports_logits_to_keep(model)
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
