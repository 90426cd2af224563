"""The batches of an epoch, shared out among processes: together they learn what one would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from tunegate.encode import IGNORE_INDEX

from .batches import Batch, LengthGroupedSampler


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
