"""The loss: mean cross entropy, in nats, over the tokens that the assistant says."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tunegate.encode import IGNORED, Row

from . import ranks
from .batches import Batch
from .shares import share


def narrows(model: Any) -> bool:
    """Whether the model can be asked for the logits of some places alone."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def summed(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy summed over a batch; `labels` as `batches.collator` makes them."""
    targets = labels[:, 1:]
    kept = logits[:, : targets.shape[1]].float()
    return torch.nn.functional.cross_entropy(
        kept.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def per_token(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
    """Return the mean over every token of a step, whichever of its passes it is in."""
    count = (labels[:, 1:] != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
    return summed(outputs.logits, labels) / count


@torch.no_grad()
def measure(
    model: Any, rows: Sequence[Row], size: int, collate: Callable[[Sequence[Row]], Batch]
) -> float:
    """Return the loss per token over rows, without dropout; the model is left as it was found.

    Several processes share the rows out, and all have the result: every one has to call this.
    """
    training = model.training
    model.eval()
    ordered = sorted(rows, key=lambda row: len(row.ids))
    total, count = 0.0, 0
    for start, own in share(range(0, len(ordered), size), ranks.rank(), ranks.world()):
        batch = {k: v.to(model.device) for k, v in collate(ordered[start : start + size]).items()}
        labels = batch.pop("labels")
        found = float(summed(model(**batch).logits, labels))
        if own:
            total += found
            count += int((labels[:, 1:] != IGNORED).sum())
    model.train(training)
    everywhere, tokens = ranks.summed(total, count)
    return everywhere / tokens if tokens else math.nan
