"""What is learnt: all of a training that `supervised` and `dpo` do not share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import torch

from tunegate.encode import Row

from . import loss, methods, packing, pairs
from .batches import Batch, collator
from .config import Settings
from .dpo import Preferences
from .material import Material
from .pairs import Item, Pair

AT_ONCE = 64  # rows validated: more no longer fit a CPU's caches, and take up to twice as long


class Objective(Protocol):
    """What the training loop asks of an objective. It is made on the fresh model."""

    choices: int  # among which one guesses who has learnt nothing: that costs their logarithm
    worst: float  # so many times that, and the training has come apart
    collate: Callable[[Sequence[Any]], Batch]

    @property
    def train(self) -> Sequence[Item]:
        """What is trained on."""

    def loss(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Return the loss of a pass as its share of the mean over a step, in nats."""

    def validate(self) -> float:
        """Return the loss on what is held out."""

    def figures(self) -> dict[str, float]:
        """Return what else is to be said of the model as it is now."""


class Supervised:
    """The replies themselves: mean cross entropy, over the tokens that the assistant says."""

    worst = 2.0

    def __init__(self, model: Any, rows: Material, settings: Settings, collate: Any) -> None:
        self.model, self.train, self.held = model, rows.train, rows.validation
        self.choices, self.padded = model.config.vocab_size, collate
        packed = settings.packing and packing.proven(model, pairs.rows(rows.train), settings)
        self.collate = packed or collate
        self.size = min(4 * settings.batch, AT_ONCE)

    def loss(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Return the share of a pass in the mean over every token of a step."""
        return loss.per_token(outputs, labels, num_items_in_batch=num_items_in_batch)

    def validate(self) -> float:
        """Return the loss per token, without dropout."""
        return loss.measure(self.model, cast(Sequence[Row], self.held), self.size, self.padded)

    def figures(self) -> dict[str, float]:
        """Return nothing: the validation loss says it."""
        return {}


def of(model: Any, rows: Material, settings: Settings) -> Objective:
    """Return the objective of a training; `model` must still be the base."""
    collate = collator(rows.template.pad, narrow=loss.narrows(methods.bare(model)))
    if settings.objective == "supervised":
        return Supervised(model, rows, settings, collate)
    train, held = (cast(Sequence[Pair], items) for items in (rows.train, rows.validation))
    return Preferences(model, train, held, settings, collate)
