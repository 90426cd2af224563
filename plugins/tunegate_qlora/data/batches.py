"""Rows to batches: of like length, in an order that seed and epoch alone decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow

from .rows import EncodedItem

Batch = dict[str, torch.Tensor]
POOL_BATCHES = (
    50  # batches that are sorted together: enough to even lengths out, few enough to mix well
)


class LengthGroupedSampler:
    """A batch sampler: shuffles, then sorts pools of 50 batches by length, then shuffles batches.

    Short rows thus stand with short rows and little is padding. The order depends on the seed and
    `epoch` alone: a resumed training sees the rows it would have seen.
    """

    def __init__(self, rows: Sequence[EncodedItem], size: int, seed: int) -> None:
        self.lengths = [len(row.ids) for row in rows]
        self.size, self.seed, self.epoch = size, seed, 0

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.size)

    def __iter__(self) -> Iterator[list[int]]:
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.lengths), generator=draw).tolist()
        batches = list(self._length_sorted(order))
        for i in torch.randperm(len(batches), generator=draw).tolist():
            yield batches[i]

    def _length_sorted(self, order: list[int]) -> Iterator[list[int]]:
        pool = POOL_BATCHES * self.size
        for start in range(0, len(order), pool):
            by_length = sorted(order[start : start + pool], key=lambda i: self.lengths[i])
            yield from (by_length[i : i + self.size] for i in range(0, len(by_length), self.size))


def make_collator(pad: int, *, narrow: bool) -> Callable[[Sequence[EncodedRow]], Batch]:
    """Return a function that makes a batch of rows, padded on the right.

    `labels` [rows, 1 + k] holds an IGNORED column, and then the targets of the k places that the
    model is to predict from. With `narrow` those are the places where any row has a target, handed
    to the model as `logits_to_keep` [k]: the output head, the widest layer, then runs on the
    answers rather than on the prompts. Without, they are all places but the last.
    (The first column is there since transformers' Trainer counts `labels[:, 1:]` for some models.)
    """

    def collate(rows: Sequence[EncodedRow]) -> Batch:
        width = max(len(row.ids) for row in rows)
        ids = torch.tensor([_pad(row.ids, width, pad) for row in rows])
        labels = torch.tensor([_pad(row.labels, width, IGNORE_INDEX) for row in rows])
        mask = torch.tensor([_pad([1] * len(row.ids), width, 0) for row in rows])
        batch = {"input_ids": ids, "attention_mask": mask}
        if not narrow:
            labels[:, 0] = IGNORE_INDEX
            return batch | {"labels": labels}
        return batch | narrow_labels(labels)

    return collate


def narrow_labels(labels: torch.Tensor) -> Batch:
    """Return `labels` and `logits_to_keep` of the places where any row has a target."""
    positions = (labels[:, 1:] != IGNORE_INDEX).any(dim=0).nonzero()[:, 0]
    first = torch.full((len(labels), 1), IGNORE_INDEX)
    return {
        "labels": torch.cat([first, labels[:, positions + 1]], dim=1),
        "logits_to_keep": positions,
    }


def _pad(values: list[int], width: int, fill: int) -> list[int]:
    return values + [fill] * (width - len(values))


# [merged] The batches of an epoch, shared out among processes: together they learn what one would.


class DistributedBatchSampler:
    """A batch sampler: of every `world` batches that follow each other, the one at `rank`.

    Every process has as many, for none may wait for another. Where the last round has too few
    batches, what is left over is empty: `pad_with_dummy_batch` makes a batch of that. No row is seen twice.
    """

    def __init__(self, batches: LengthGroupedSampler, rank: int, world_size: int) -> None:
        self.batches, self.rank, self.world_size = batches, rank, world_size

    def __len__(self) -> int:
        return -(-len(self.batches) // self.world_size)

    def __iter__(self) -> Iterator[list[int]]:
        for round_batches in _rounds(list(self.batches), self.world_size):
            yield round_batches[self.rank] if self.rank < len(round_batches) else []


def split_among_ranks(
    items: Sequence[Any], rank: int, world_size: int
) -> Iterator[tuple[Any, bool]]:
    """Yield this process's items, and whether they are its own; every process has as many.

    Where none is left for it, a process gets the first one, which is another's.
    """
    for round_items in _rounds(items, world_size):
        is_own = rank < len(round_items)
        yield (round_items[rank] if is_own else items[0]), is_own


def pad_with_dummy_batch(
    collate: Callable[[Sequence[Any]], Batch], row: Any
) -> Callable[..., Batch]:
    """Return the collator, which makes of no rows a batch of `row` with nothing to learn in it.

    Such a batch has gradients, for the other processes wait for them: they are all 0.
    """

    def collate_or_dummy(rows: Sequence[Any]) -> Batch:
        if rows:
            return collate(rows)
        batch = collate([row])
        return batch | {"labels": torch.full_like(batch["labels"], IGNORE_INDEX)}

    return collate_or_dummy


def _rounds(items: Sequence[Any], world_size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + world_size] for start in range(0, len(items), world_size))
