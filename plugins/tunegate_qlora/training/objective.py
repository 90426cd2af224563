"""The two objectives, `supervised` and `dpo`: what the training loop needs to know of either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import torch

from tunegate.tokenization.encode import EncodedRow

from ..config.settings import Settings
from ..data import rows as pairs
from ..data.batches import Batch, make_collator
from ..data.rows import EncodedItem, EncodedPair
from ..data.training_data import TrainingData
from ..model import methods
from . import loss, packing
from .dpo import DPOObjective

# Rows of a validation batch: more no longer fit a CPU's caches, and take up to twice as long.
MAX_VALIDATION_BATCH = 64


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

    def __init__(self, model: Any, rows: TrainingData, settings: Settings, collate: Any) -> None:
        self.model, self.train, self.held_out = model, rows.train, rows.validation
        self.num_choices, self.padded_collator = model.config.vocab_size, collate
        packed = settings.packing and packing.verified_collator(
            model, pairs.conversations_of(rows.train), settings
        )
        self.collate = packed or collate
        self.size = min(4 * settings.batch, MAX_VALIDATION_BATCH)

    def loss(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Return the sum over the tokens of a pass, divided by the trained tokens of its step."""
        return loss.loss_per_token(outputs, labels, num_items_in_batch=num_items_in_batch)

    def validate(self) -> float:
        """Return the loss per trained token of the validation rows, without dropout."""
        return loss.mean_loss(
            self.model, cast(Sequence[EncodedRow], self.held_out), self.size, self.padded_collator
        )

    def figures(self) -> dict[str, float]:
        """Return none: the validation loss is in the curves."""
        return {}


def make_objective(model: Any, rows: TrainingData, settings: Settings) -> Objective:
    """Return the objective that the settings name; the model must not be trained yet."""
    collate = make_collator(
        rows.chat_template.pad_id, narrow=loss.supports_logits_to_keep(methods.unwrap(model))
    )
    if settings.objective == "supervised":
        return SupervisedObjective(model, rows, settings, collate)
    train, held_out = (
        cast(Sequence[EncodedPair], items) for items in (rows.train, rows.validation)
    )
    return DPOObjective(model, train, held_out, settings, collate)
