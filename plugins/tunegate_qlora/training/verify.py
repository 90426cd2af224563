"""Verify a saved model: read back from disk, it must have the loss that it had in memory."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tunegate.interfaces.trainer import TrainingFailed

from ..config import Settings
from ..data.batches import make_collator
from ..data.training_data import EncodedItem, EncodedPair, TrainingData, conversations_of
from ..model import weights
from . import loss

SAMPLE_ROWS = 64  # held-out rows, if there are any: enough to tell a model from its base
TOLERANCE = 0.01  # of the loss: bfloat16 keeps 8 bits, and a GPU sums in no fixed order
MIN_DIFFERENCE = 0.002  # nats: where a loss is small, 1 % of it is less than what bfloat16 rounds
IN_MEMORY = "in_memory"  # suffix of the figures that `learn` measures before the model is read back

Losses = Mapping[str, float]


def tolerance(loss: float) -> float:
    """Return how far another loss may be from this one by rounding alone."""
    return max(TOLERANCE * abs(loss), MIN_DIFFERENCE)


def differs(first: float, second: float) -> bool:
    """Whether two losses are further apart than rounding explains; NaN and inf always differ."""
    return not abs(first - second) <= tolerance(first)


def sample_rows(rows: TrainingData, max_rows: int = SAMPLE_ROWS) -> Sequence[EncodedItem]:
    """Return the first rows of the validation data, or of the training data if there is none."""
    return (rows.validation or rows.train)[:max_rows]


def measure_loss(
    model: Any, rows: TrainingData, settings: Settings, max_rows: int = SAMPLE_ROWS
) -> Losses:
    """Return a model's mean `loss` per token on the sample rows, in nats.

    Of pairs, `loss` is that of the preferred replies, and `rejected_loss` that of the others: DPO
    moves the two apart, so that one loss for both could stay what it was.
    """
    items = sample_rows(rows, max_rows)
    sides = {"loss": conversations_of(items)}
    if pairs := [item for item in items if isinstance(item, EncodedPair)]:
        sides = {"loss": [p.preferred for p in pairs], "rejected_loss": [p.rejected for p in pairs]}
    narrow, size = weights.supports_logits_to_keep(model), settings.batch
    collate = make_collator(rows.chat_template.pad_id, narrow=narrow)
    return {name: loss.mean_loss(model, side, size, collate) for name, side in sides.items()}


def prefix_keys(losses: Losses, suffix: str) -> dict[str, float]:
    """Return losses as figures: `loss` and `rejected_loss` become `loss_SUFFIX`, ..."""
    return {f"{name}_{suffix}": value for name, value in losses.items()}


def verify_saved(
    folder: Path, base_folder: Path, settings: Settings, rows: TrainingData,
    figures: Mapping[str, float],
) -> dict[str, float]:  # fmt: skip
    """Load the model of a folder and compare its losses with those in memory and of its base.

    `figures` are those of `learn`: the entries that end in `_in_memory` are compared with. Returns
    the losses of the model from disk (`loss_from_disk`) and of its base (`loss_of_base`). Raises
    TrainingFailed where those from disk differ from those in memory, or equal the base's.
    """
    model = weights.load_trained(folder, base_folder, settings)
    disk_losses = measure_loss(model, rows, settings)
    has_adapter = hasattr(model, "disable_adapter")
    with model.disable_adapter() if has_adapter else nullcontext():
        untuned = model if has_adapter else weights.load_base(base_folder, settings.decoding)
        base_losses = measure_loss(untuned, rows, settings)
    count = len(sample_rows(rows))
    for name, disk_loss in disk_losses.items():
        memory_loss = figures[f"{name}_{IN_MEMORY}"]
        if differs(memory_loss, disk_loss):
            raise TrainingFailed(
                f"read back from disk, the model's {name.replace('_', ' ')} is {disk_loss:.4f} on "
                f"{count} rows; in memory it was {memory_loss:.4f}: what was written is not what "
                "was trained"
            )
    if disk_losses == base_losses:
        raise TrainingFailed(
            f"the trained model is no other than its base (loss {base_losses['loss']:.4f} on "
            f"{count} rows): raise `learning_rate` or `epochs`"
        )
    return prefix_keys(disk_losses, "from_disk") | prefix_keys(base_losses, "of_base")
