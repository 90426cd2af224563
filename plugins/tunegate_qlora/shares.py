"""The batches of an epoch, shared out among processes: together they learn what one would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from tunegate.encode import IGNORED

from .batches import Batch, LengthGrouped


class Share:
    """A batch sampler: of every `world` batches that follow each other, the one at `rank`.

    Every process has as many, for none may wait for another. Where the last round has too few
    batches, what is left over is empty: `unlearnt` makes a batch of that. No row is seen twice.
    """

    def __init__(self, batches: LengthGrouped, rank: int, world: int) -> None:
        self.batches, self.rank, self.world = batches, rank, world

    def __len__(self) -> int:
        return -(-len(self.batches) // self.world)

    def __iter__(self) -> Iterator[list[int]]:
        for turn in _rounds(list(self.batches), self.world):
            yield turn[self.rank] if self.rank < len(turn) else []


def share(items: Sequence[Any], rank: int, world: int) -> Iterator[tuple[Any, bool]]:
    """Yield this process's items, and whether they are its own; every process has as many.

    Where none is left for it, a process gets the first one, which is another's.
    """
    for turn in _rounds(items, world):
        own = rank < len(turn)
        yield (turn[rank] if own else items[0]), own


def unlearnt(collate: Callable[[Sequence[Any]], Batch], row: Any) -> Callable[..., Batch]:
    """Return the collator, which makes of no rows a batch of `row` with nothing to learn in it.

    Such a batch has gradients, for the other processes wait for them: they are all 0.
    """

    def collated(rows: Sequence[Any]) -> Batch:
        if rows:
            return collate(rows)
        batch = collate([row])
        return batch | {"labels": torch.full_like(batch["labels"], IGNORED)}

    return collated


def _rounds(items: Sequence[Any], world: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + world] for start in range(0, len(items), world))
