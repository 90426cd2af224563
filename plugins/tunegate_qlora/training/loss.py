"""The supervised loss: the mean cross entropy, in nats, over the tokens of the assistant."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow

from ..data.batches import Batch, split_among_ranks
from ..runtime import process_group


def supports_logits_to_keep(model: Any) -> bool:
    """Whether the model can compute the logits of chosen positions alone."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def summed_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy summed over a batch, in nats.

    Args:
        logits: [rows, k or more, vocabulary]; those after position k are not read.
        labels: [rows, 1 + k], as `batches.make_collator` makes them.
    """
    targets = labels[:, 1:]
    kept_logits = logits[:, : targets.shape[1]].float()
    return torch.nn.functional.cross_entropy(
        kept_logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"
    )


def loss_per_token(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None
) -> torch.Tensor:
    """Return the loss of a pass, divided by the trained tokens of its whole step.

    `num_items_in_batch`: the trained tokens of all passes of the step; None where this is the only
    one. The losses of the passes then add up to the mean over the step.
    """
    count = (
        (labels[:, 1:] != IGNORE_INDEX).sum() if num_items_in_batch is None else num_items_in_batch
    )
    return summed_loss(outputs.logits, labels) / count


@torch.no_grad()
def mean_loss(
    model: Any,
    rows: Sequence[EncodedRow],
    size: int,
    collate: Callable[[Sequence[EncodedRow]], Batch],
) -> float:
    """Return the loss per trained token over rows, without dropout; NaN where none is trained.

    In a distributed training each process computes a part of the rows, and every one has to call
    this; all get the same result. The model is left in the mode (training or not) that it was in.
    """
    training = model.training
    model.eval()
    ordered = sorted(rows, key=lambda row: len(row.ids))
    total, count = 0.0, 0
    for start, is_own in split_among_ranks(
        range(0, len(ordered), size), process_group.rank(), process_group.world_size()
    ):
        batch = {k: v.to(model.device) for k, v in collate(ordered[start : start + size]).items()}
        labels = batch.pop("labels")
        batch_loss = float(summed_loss(model(**batch).logits, labels))
        if is_own:
            total += batch_loss
            count += int((labels[:, 1:] != IGNORE_INDEX).sum())
    model.train(training)
    total_loss, tokens = process_group.all_reduce_sum(total, count)
    return total_loss / tokens if tokens else math.nan
