"""Makes batches of rows of similar length, padded or packed, and splits them among processes.

The order depends on seed and epoch alone, also where several processes share the batches: together
they learn what one process would.

Rows can be packed into one sequence without padding, with the same loss and steps. An attention
that ignores where a row begins lets a row read the one before it, and raises no error: flash
attention alone is packed for (`Settings.packed`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow

from ..config import Settings
from ..model import weights
from .training_data import EncodedItem, conversations_of

Batch = dict[str, torch.Tensor]
Collator = Callable[[Sequence[EncodedRow]], Batch]
# Batches whose rows are sorted together: many enough for little padding, few enough to mix well.
POOL_BATCHES = 50


class LengthGroupedSampler:
    """A batch sampler that shuffles rows, sorts pools of 50 batches by length, shuffles batches.

    Rows of a batch are thus of similar length, and little is padding. Set `epoch` before each
    epoch: the order depends on it and the seed alone, so that a resumed training sees the same
    rows as one that was never interrupted.

    Of `world_size` processes, each gets the batch at its `rank` of each `world_size` consecutive
    ones. All get the same number, since each step waits for every process: in a last round with too
    few batches some get an empty one, which `pad_with_dummy_batch` fills. No row is seen twice.
    """

    def __init__(
        self, rows: Sequence[EncodedItem], size: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self.lengths = [len(row.ids) for row in rows]
        self.size, self.seed, self.epoch = size, seed, 0
        self.rank, self.world_size = rank, world_size

    def __len__(self) -> int:
        return -(-len(self.lengths) // (self.size * self.world_size))

    def __iter__(self) -> Iterator[list[int]]:
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.lengths), generator=draw).tolist()
        batches: list[list[int]] = []
        pool = POOL_BATCHES * self.size
        for start in range(0, len(order), pool):
            by_length = sorted(order[start : start + pool], key=lambda i: self.lengths[i])
            batches += [by_length[i : i + self.size] for i in range(0, len(by_length), self.size)]
        shuffled = torch.randperm(len(batches), generator=draw).tolist()
        for i in range(self.rank, self.rank + len(batches), self.world_size):
            yield batches[shuffled[i]] if i < len(batches) else []


def computed_tokens(items: Sequence[EncodedItem], settings: Settings) -> tuple[int, float]:
    """Return the tokens that the model computes in the first epoch, and the padding among them."""
    batches = LengthGroupedSampler(items, settings.batch, settings.seed)
    row_tokens = sum(len(row.ids) for row in conversations_of(items))
    if settings.packed:
        return row_tokens, 0.0
    widths = (len(batch) * max(batches.lengths[i] for i in batch) for batch in batches)
    total = settings.conversations_per_row * sum(widths)
    return total, 1 - row_tokens / total


def make_collator(pad: int, *, narrow: bool) -> Collator:
    """Return a function that pads rows on the right and stacks them to a batch.

    A batch has `input_ids` and `attention_mask` [rows, width], and `labels` [rows, 1 + k]: a column
    of IGNORE_INDEX, then the targets of the k positions that the model predicts from. (The first
    column is there because transformers' Trainer counts `labels[:, 1:]` for some models.)

    `narrow` keeps only the positions where a row has a target, and adds them as `logits_to_keep`
    [k]: the output head, the widest layer, then runs on the answers and not on the prompts.
    Otherwise they are all positions but the last. `pad` is the token id of padding.
    """

    def collate(rows: Sequence[EncodedRow]) -> Batch:
        width = max(len(row.ids) for row in rows)
        padded = [(row, width - len(row.ids)) for row in rows]
        ids = torch.tensor([row.ids + [pad] * n for row, n in padded])
        labels = torch.tensor([row.labels + [IGNORE_INDEX] * n for row, n in padded])
        mask = torch.tensor([[1] * len(row.ids) + [0] * n for row, n in padded])
        batch = {"input_ids": ids, "attention_mask": mask}
        if narrow:
            return batch | narrow_labels(labels)
        labels[:, 0] = IGNORE_INDEX
        return batch | {"labels": labels}

    return collate


def narrow_labels(labels: torch.Tensor) -> Batch:
    """Return `labels` and `logits_to_keep` for the positions where any row has a target."""
    positions = (labels[:, 1:] != IGNORE_INDEX).any(dim=0).nonzero()[:, 0]
    first = torch.full((len(labels), 1), IGNORE_INDEX)
    kept = torch.cat([first, labels[:, positions + 1]], dim=1)
    return {"labels": kept, "logits_to_keep": positions}


def split_among_ranks(items: Sequence[Any], rank: int, size: int) -> Iterator[tuple[Any, bool]]:
    """Yield the items of one process, each with True; all processes get the same number.

    In a last round with too few items, a process without one gets the first item of all, with
    False: the item belongs to another process, and its result must not count.
    """
    for i in range(rank, rank + len(items), size):
        yield (items[i], True) if i < len(items) else (items[0], False)


def pad_with_dummy_batch(
    collate: Callable[[Sequence[Any]], Batch], row: Any
) -> Callable[..., Batch]:
    """Wrap a collator so that an empty list of rows becomes a dummy batch with zero gradients.

    When the number of batches is no multiple of the world size, some processes have no batch in
    the last step, but all must take part in the sum of the gradients. The dummy batch is `row`
    with all labels set to IGNORE_INDEX: it adds 0 to the loss and to each gradient.
    """

    def collate_or_dummy(rows: Sequence[Any]) -> Batch:
        if rows:
            return collate(rows)
        batch = collate([row])
        return batch | {"labels": torch.full_like(batch["labels"], IGNORE_INDEX)}

    return collate_or_dummy


def make_packing_collator(*, narrow: bool) -> Collator:
    """Return a function that lays a batch's rows end to end, in one sequence.

    `labels` [1, 1 + k] and `logits_to_keep` [k] are as `batches.make_collator` makes them; a row's
    first token is no target, since it would be predicted from the row before. `position_ids`
    [1, tokens] start at 0 with each row: sdpa, eager and flex attention derive their mask from them
    where there is neither `attention_mask` nor a cache. Flash attention and recurrent layers read
    `cu_seq_lens_*`, `max_length_*` and `seq_idx` instead.
    """
    options = {"return_flash_attn_kwargs": True, "return_seq_idx": True}
    flatten = weights.hf.DataCollatorWithFlattening(**options)

    def collate(rows: Sequence[EncodedRow]) -> dict[str, Any]:
        batch: dict[str, Any] = flatten([{"input_ids": r.ids, "labels": r.labels} for r in rows])
        batch["use_cache"] = False
        return batch | narrow_labels(batch["labels"]) if narrow else batch

    return collate
