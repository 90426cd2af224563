"""What was written is what was trained: read back from disk, its loss is what it was in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tunegate.encode import Row
from tunegate.protocols import TrainingFailed

from . import loss, methods
from .batches import collator
from .config import Settings
from .material import Material
from .pairs import Item, Pair
from .quantise import load

ROWS = 64  # held out where there are any: enough to tell a model from its base
TOLERANCE = 0.01  # of the loss: bfloat16 keeps 8 bits, and a GPU sums in no fixed order
LEAST = 0.002  # nats: where a loss is small, 1 % of it is less than what bfloat16 rounds


Losses = Mapping[str, float]


def differ(one: float, other: float) -> bool:
    """Whether two losses are further apart than rounding explains; so is one that is no number."""
    return not abs(one - other) <= max(TOLERANCE * abs(one), LEAST)


def sample(rows: Material, most: int = ROWS) -> Sequence[Item]:
    """Return the rows that a proof is made on."""
    return (rows.validation or rows.train)[:most]


def measure(model: Any, rows: Material, settings: Settings, most: int = ROWS) -> Losses:
    """Return a model's `loss` per token on the proof's rows, in nats.

    Of pairs that is the preferred side's, and `rejected_loss` the other's. One loss for both could
    stay what it was, for DPO moves them apart.
    """
    collate = collator(rows.template.pad, narrow=loss.narrows(methods.bare(model)))
    return {
        name: loss.measure(model, side, settings.batch, collate)
        for name, side in _sides(sample(rows, most)).items()
    }


def _sides(items: Sequence[Item]) -> dict[str, list[Row]]:
    pairs = [item for item in items if isinstance(item, Pair)]
    if not pairs:
        return {"loss": [item for item in items if isinstance(item, Row)]}
    return {"loss": [p.preferred for p in pairs], "rejected_loss": [p.rejected for p in pairs]}


def named(losses: Losses, what: str) -> dict[str, float]:
    """Return losses as figures: `loss_in_memory`, and of pairs `rejected_loss_in_memory`."""
    return {f"{name}_{what}": value for name, value in losses.items()}


def in_memory(figures: Mapping[str, float]) -> Losses:
    """Return the losses that `named` made figures of, when the trained model was in memory."""
    end = "_in_memory"
    return {k.removesuffix(end): value for k, value in figures.items() if k.endswith(end)}


def reloaded(
    folder: Path, root: Path, settings: Settings, rows: Material, before: Losses
) -> dict[str, float]:
    """Return the losses of what this folder holds and of its base; `before` are those in memory.

    Raises TrainingFailed where the first are others than in memory, or are just the base's.
    """
    model = methods.reopened(folder, root, settings)
    after = measure(model, rows, settings)
    adapted = hasattr(model, "disable_adapter")
    with model.disable_adapter() if adapted else nullcontext():
        untuned = model if adapted else load(root, settings.decoding)
        base = measure(untuned, rows, settings)
    for name, told in before.items():
        if differ(told, after[name]):
            raise TrainingFailed(
                f"read back from disk, the model's {name.replace('_', ' ')} is {after[name]:.4f} "
                f"on {len(sample(rows))} rows; in memory it was {told:.4f}: what was written is "
                "not what was trained"
            )
    if after == base:
        raise TrainingFailed(
            f"the trained model is no other than its base (loss {base['loss']:.4f} on "
            f"{len(sample(rows))} rows): raise `learning_rate` or `epochs`"
        )
    return named(after, "from_disk") | named(base, "of_base")
