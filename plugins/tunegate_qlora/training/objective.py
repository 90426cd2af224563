"""What is learnt: all of a training that `supervised` and `dpo` do not share."""

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

MAX_VALIDATION_ROWS = (
    64  # rows validated: more no longer fit a CPU's caches, and take up to twice as long
)


class Objective(Protocol):
    """What the training loop asks of an objective. It is made on the fresh model."""

    num_choices: int  # among which one guesses who has learnt nothing: that costs their logarithm
    divergence_factor: float  # so many times that, and the training has come apart
    collate: Callable[[Sequence[Any]], Batch]

    @property
    def train(self) -> Sequence[EncodedItem]:
        """What is trained on."""

    def loss(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Return the loss of a pass as its share of the mean over a step, in nats."""

    def validate(self) -> float:
        """Return the loss on what is held out."""

    def figures(self) -> dict[str, float]:
        """Return what else is to be said of the model as it is now."""


class SupervisedObjective:
    """The replies themselves: mean cross entropy, over the tokens that the assistant says."""

    divergence_factor = 2.0

    def __init__(self, model: Any, rows: TrainingData, settings: Settings, collate: Any) -> None:
        self.model, self.train, self.held_out = model, rows.train, rows.validation
        self.num_choices, self.padded_collator = model.config.vocab_size, collate
        packed = settings.packing and packing.verified_collator(
            model, pairs.conversations_of(rows.train), settings
        )
        self.collate = packed or collate
        self.size = min(4 * settings.batch, MAX_VALIDATION_ROWS)

    def loss(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Return the share of a pass in the mean over every token of a step."""
        return loss.loss_per_token(outputs, labels, num_items_in_batch=num_items_in_batch)

    def validate(self) -> float:
        """Return the loss per token, without dropout."""
        return loss.mean_loss(
            self.model, cast(Sequence[EncodedRow], self.held_out), self.size, self.padded_collator
        )

    def figures(self) -> dict[str, float]:
        """Return nothing: the validation loss says it."""
        return {}


def make_objective(model: Any, rows: TrainingData, settings: Settings) -> Objective:
    """Return the objective of a training; `model` must still be the base."""
    collate = make_collator(
        rows.chat_template.pad_id, narrow=loss.supports_logits_to_keep(methods.unwrap(model))
    )
    if settings.objective == "supervised":
        return SupervisedObjective(model, rows, settings, collate)
    train, held_out = (
        cast(Sequence[EncodedPair], items) for items in (rows.train, rows.validation)
    )
    return DPOObjective(model, train, held_out, settings, collate)
