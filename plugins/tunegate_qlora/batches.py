"""Rows to batches: of like length, in an order that seed and epoch alone decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from tunegate.encode import IGNORED, Row

from .pairs import Item

Batch = dict[str, torch.Tensor]
POOL = 50  # batches that are sorted together: enough to even lengths out, few enough to mix well


class LengthGrouped:
    """A batch sampler: shuffles, then sorts pools of 50 batches by length, then shuffles batches.

    Short rows thus stand with short rows and little is padding. The order depends on the seed and
    `epoch` alone: a resumed training sees the rows it would have seen.
    """

    def __init__(self, rows: Sequence[Item], size: int, seed: int) -> None:
        self.lengths = [len(row.ids) for row in rows]
        self.size, self.seed, self.epoch = size, seed, 0

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.size)

    def __iter__(self) -> Iterator[list[int]]:
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.lengths), generator=draw).tolist()
        batches = list(self._batches(order))
        for i in torch.randperm(len(batches), generator=draw).tolist():
            yield batches[i]

    def _batches(self, order: list[int]) -> Iterator[list[int]]:
        pool = POOL * self.size
        for start in range(0, len(order), pool):
            alike = sorted(order[start : start + pool], key=lambda i: self.lengths[i])
            yield from (alike[i : i + self.size] for i in range(0, len(alike), self.size))


def collator(pad: int, *, narrow: bool) -> Callable[[Sequence[Row]], Batch]:
    """Return a function that makes a batch of rows, padded on the right.

    `labels` [rows, 1 + k] holds an IGNORED column, and then the targets of the k places that the
    model is to predict from. With `narrow` those are the places where any row has a target, handed
    to the model as `logits_to_keep` [k]: the output head, the widest layer, then runs on the
    answers rather than on the prompts. Without, they are all places but the last.
    (The first column is there since transformers' Trainer counts `labels[:, 1:]` for some models.)
    """

    def collate(rows: Sequence[Row]) -> Batch:
        width = max(len(row.ids) for row in rows)
        ids = torch.tensor([_filled(row.ids, width, pad) for row in rows])
        labels = torch.tensor([_filled(row.labels, width, IGNORED) for row in rows])
        mask = torch.tensor([_filled([1] * len(row.ids), width, 0) for row in rows])
        batch = {"input_ids": ids, "attention_mask": mask}
        if not narrow:
            labels[:, 0] = IGNORED
            return batch | {"labels": labels}
        return batch | narrowed(labels)

    return collate


def narrowed(labels: torch.Tensor) -> Batch:
    """Return `labels` and `logits_to_keep` of the places where any row has a target."""
    kept = (labels[:, 1:] != IGNORED).any(dim=0).nonzero()[:, 0]
    first = torch.full((len(labels), 1), IGNORED)
    return {"labels": torch.cat([first, labels[:, kept + 1]], dim=1), "logits_to_keep": kept}


def _filled(values: list[int], width: int, fill: int) -> list[int]:
    return values + [fill] * (width - len(values))
