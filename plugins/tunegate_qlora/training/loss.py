"""The supervised loss, mean cross entropy in nats over the assistant's tokens; and objectives."""

import math
from collections.abc import Sequence
from typing import Any, cast

import torch

from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow

from ..config import Settings
from ..data.batches import Collator, make_collator, split_among_ranks
from ..data.training_data import EncodedPair, TrainingData, conversations_of
from ..model import weights
from ..runtime import process_group
from . import packing
from .dpo import DPOObjective

# Rows of a validation batch: more no longer fit a CPU's caches, and take up to twice as long.
MAX_VALIDATION_BATCH = 64


def summed_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy summed over a batch, in nats.

    `labels` [rows, 1 + k] are as `batches.make_collator` makes them; of `logits` [rows, k or more,
    vocabulary] those after position k are not read.
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
    own_count = (labels[:, 1:] != IGNORE_INDEX).sum()
    count = own_count if num_items_in_batch is None else num_items_in_batch
    return summed_loss(outputs.logits, labels) / count


@torch.no_grad()
def mean_loss(model: Any, rows: Sequence[EncodedRow], size: int, collate: Collator) -> float:
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


class SupervisedObjective:
    """Learns the replies: the mean cross entropy over the tokens of the assistant.

    A model without knowledge guesses among `num_choices`: its loss is their logarithm, and
    `divergence_factor` times that means that the training has diverged.
    """

    divergence_factor = 2.0
    loss = staticmethod(loss_per_token)

    def __init__(self, model: Any, rows: TrainingData, settings: Settings, collate: Any) -> None:
        self.model, self.train, self.held_out = model, rows.train, rows.validation
        self.padded_collator = collate
        self.num_choices = model.config.get_text_config().vocab_size
        train = conversations_of(rows.train)
        packed = settings.packing and packing.verified_collator(model, train, settings)
        self.collate = packed or collate
        self.size = min(4 * settings.batch, MAX_VALIDATION_BATCH)

    def validate(self) -> float:
        """Return the loss per trained token of the validation rows, without dropout."""
        rows = conversations_of(self.held_out)
        return mean_loss(self.model, rows, self.size, self.padded_collator)

    def figures(self) -> dict[str, float]:
        """Return none: the validation loss is in the curves."""
        return {}


def make_objective(
    model: Any, rows: TrainingData, settings: Settings
) -> SupervisedObjective | DPOObjective:
    """Return the objective that the settings name; the model must not be trained yet."""
    narrow = weights.supports_logits_to_keep(model)
    collate = make_collator(rows.chat_template.pad_id, narrow=narrow)
    if settings.objective == "supervised":
        return SupervisedObjective(model, rows, settings, collate)
    train, held_out = (cast(list[EncodedPair], items) for items in (rows.train, rows.validation))
    return DPOObjective(model, train, held_out, settings, collate)
