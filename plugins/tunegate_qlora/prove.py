"""What was written is what was trained: read back from disk, its loss is what it was in memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tunegate.encode import Row
from tunegate.protocols import TrainingFailed

from . import loss, methods
from .batches import collator
from .config import Settings
from .material import Material
from .quantise import load

ROWS = 64  # held out where there are any: enough to tell a model from its base
TOLERANCE = 0.01  # of the loss: bfloat16 keeps 8 bits, and a GPU sums in no fixed order
LEAST = 0.002  # nats: where a loss is small, 1 % of it is less than what bfloat16 rounds


def differ(one: float, other: float) -> bool:
    """Whether two losses are further apart than rounding explains; so is one that is no number."""
    return not abs(one - other) <= max(TOLERANCE * abs(one), LEAST)


def sample(rows: Material, most: int = ROWS) -> Sequence[Row]:
    """Return the rows that a proof is made on."""
    return (rows.validation or rows.train)[:most]


def measure(model: Any, rows: Material, settings: Settings, most: int = ROWS) -> float:
    """Return a model's loss per token on the proof's rows, in nats."""
    collate = collator(rows.template.pad, narrow=loss.narrows(methods.bare(model)))
    return loss.measure(model, sample(rows, most), settings.batch, collate)


def reloaded(
    folder: Path, root: Path, settings: Settings, rows: Material, before: float
) -> dict[str, float]:
    """Return the losses of what this folder holds and of its base; `before` is that in memory.

    Raises TrainingFailed where the first is another one than in memory, or is just the base's.
    """
    model = methods.reopened(folder, root, settings)
    after = measure(model, rows, settings)
    adapted = hasattr(model, "disable_adapter")
    with model.disable_adapter() if adapted else nullcontext():
        untuned = model if adapted else load(root, settings.decoding)
        base = measure(untuned, rows, settings)
    if differ(before, after):
        raise TrainingFailed(
            f"read back from disk, the model's loss is {after:.4f} on {len(sample(rows))} rows; "
            f"in memory it was {before:.4f}: what was written is not what was trained"
        )
    if after == base:
        raise TrainingFailed(
            f"the trained model is no other than its base (loss {base:.4f} on "
            f"{len(sample(rows))} rows): raise `learning_rate` or `epochs`"
        )
    return {"loss_from_disk": after, "loss_of_base": base}
