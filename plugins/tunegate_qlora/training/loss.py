"""The supervised loss: the mean cross entropy, in nats, over the tokens of the assistant.

Also what the training loop needs to know of an objective, this one or `dpo`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import torch

from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow

from ..config import Settings
from ..data.batches import Batch, make_collator, split_among_ranks
from ..data.training_data import EncodedItem, EncodedPair, TrainingData, conversations_of
from ..model import weights
from ..runtime import process_group
from . import packing
from .dpo import DPOObjective

# Rows of a validation batch: more no longer fit a CPU's caches, and take up to twice as long.
MAX_VALIDATION_BATCH = 64


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


class Objective(Protocol):
    """What the training loop needs of an objective, which is made on the untrained model."""

    num_choices: int  # a model without knowledge guesses among so many: its loss is ln(num_choices)
    divergence_factor: float  # a loss of so many times that means that the training has diverged
    collate: Callable[[Sequence[Any]], Batch]

    @property
    def train(self) -> Sequence[EncodedItem]:
        """The rows or pairs to train on."""

    def loss(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Return the loss of one pass, as its share of the mean over the step's batches, in nats.

        `num_items_in_batch` counts the items of the whole step that the mean is taken over.
        """

    def validate(self) -> float:
        """Return the mean loss on the validation data, in nats."""

    def figures(self) -> dict[str, float]:
        """Return figures of the model as it is now, beside its losses."""


class SupervisedObjective:
    """Learns the replies: the mean cross entropy over the tokens of the assistant."""

    divergence_factor = 2.0
    loss = staticmethod(loss_per_token)

    def __init__(self, model: Any, rows: TrainingData, settings: Settings, collate: Any) -> None:
        self.model, self.train, self.held_out = model, rows.train, rows.validation
        self.padded_collator = collate
        self.num_choices = model.config.get_text_config().vocab_size
        packed = settings.packing and packing.verified_collator(
            model, conversations_of(rows.train), settings
        )
        self.collate = packed or collate
        self.size = min(4 * settings.batch, MAX_VALIDATION_BATCH)

    def validate(self) -> float:
        """Return the loss per trained token of the validation rows, without dropout."""
        return mean_loss(
            self.model, cast(Sequence[EncodedRow], self.held_out), self.size, self.padded_collator
        )

    def figures(self) -> dict[str, float]:
        """Return none: the validation loss is in the curves."""
        return {}


def make_objective(model: Any, rows: TrainingData, settings: Settings) -> Objective:
    """Return the objective that the settings name; the model must not be trained yet."""
    collate = make_collator(
        rows.chat_template.pad_id, narrow=weights.supports_logits_to_keep(model)
    )
    if settings.objective == "supervised":
        return SupervisedObjective(model, rows, settings, collate)
    train, held_out = (
        cast(Sequence[EncodedPair], items) for items in (rows.train, rows.validation)
    )
    return DPOObjective(model, train, held_out, settings, collate)
