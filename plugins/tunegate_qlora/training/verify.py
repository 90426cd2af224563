"""What was written is what was trained: read back from disk, its loss is what it was in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tunegate.interfaces.trainer import TrainingFailed
from tunegate.tokenization.encode import EncodedRow

from ..config.settings import Settings
from ..data.batches import make_collator
from ..data.rows import EncodedItem, EncodedPair
from ..data.training_data import TrainingData
from ..model import methods
from ..model.load import load_base
from . import loss

SAMPLE_ROWS = 64  # held out where there are any: enough to tell a model from its base
TOLERANCE = 0.01  # of the loss: bfloat16 keeps 8 bits, and a GPU sums in no fixed order
MIN_DIFFERENCE = 0.002  # nats: where a loss is small, 1 % of it is less than what bfloat16 rounds


Losses = Mapping[str, float]


def differs(first: float, second: float) -> bool:
    """Whether two losses are further apart than rounding explains; so is one that is no number."""
    return not abs(first - second) <= max(TOLERANCE * abs(first), MIN_DIFFERENCE)


def sample_rows(rows: TrainingData, max_rows: int = SAMPLE_ROWS) -> Sequence[EncodedItem]:
    """Return the rows that a proof is made on."""
    return (rows.validation or rows.train)[:max_rows]


def measure_loss(
    model: Any, rows: TrainingData, settings: Settings, max_rows: int = SAMPLE_ROWS
) -> Losses:
    """Return a model's `loss` per token on the proof's rows, in nats.

    Of pairs that is the preferred side's, and `rejected_loss` the other's. One loss for both could
    stay what it was, for DPO moves them apart.
    """
    collate = make_collator(
        rows.chat_template.pad_id, narrow=loss.supports_logits_to_keep(methods.unwrap(model))
    )
    return {
        name: loss.mean_loss(model, side, settings.batch, collate)
        for name, side in _conversations_by_loss(sample_rows(rows, max_rows)).items()
    }


def _conversations_by_loss(items: Sequence[EncodedItem]) -> dict[str, list[EncodedRow]]:
    pairs = [item for item in items if isinstance(item, EncodedPair)]
    if not pairs:
        return {"loss": [item for item in items if isinstance(item, EncodedRow)]}
    return {"loss": [p.preferred for p in pairs], "rejected_loss": [p.rejected for p in pairs]}


def prefix_keys(losses: Losses, suffix: str) -> dict[str, float]:
    """Return losses as figures: `loss_in_memory`, and of pairs `rejected_loss_in_memory`."""
    return {f"{name}_{suffix}": value for name, value in losses.items()}


def losses_in_memory(figures: Mapping[str, float]) -> Losses:
    """Return the losses that `prefix_keys` made figures of, when the trained model was in memory."""
    suffix = "_in_memory"
    return {k.removesuffix(suffix): value for k, value in figures.items() if k.endswith(suffix)}


def verify_saved(
    folder: Path, root: Path, settings: Settings, rows: TrainingData, memory_losses: Losses
) -> dict[str, float]:
    """Return the losses of what this folder holds and of its base; `memory_losses` are those in memory.

    Raises TrainingFailed where the first are others than in memory, or are just the base's.
    """
    model = methods.load_trained(folder, root, settings)
    disk_losses = measure_loss(model, rows, settings)
    has_adapter = hasattr(model, "disable_adapter")
    with model.disable_adapter() if has_adapter else nullcontext():
        untuned = model if has_adapter else load_base(root, settings.decoding)
        base_losses = measure_loss(untuned, rows, settings)
    for name, memory_loss in memory_losses.items():
        if differs(memory_loss, disk_losses[name]):
            raise TrainingFailed(
                f"read back from disk, the model's {name.replace('_', ' ')} is {disk_losses[name]:.4f} "
                f"on {len(sample_rows(rows))} rows; in memory it was {memory_loss:.4f}: what was written is "
                "not what was trained"
            )
    if disk_losses == base_losses:
        raise TrainingFailed(
            f"the trained model is no other than its base (loss {base_losses['loss']:.4f} on "
            f"{len(sample_rows(rows))} rows): raise `learning_rate` or `epochs`"
        )
    return prefix_keys(disk_losses, "from_disk") | prefix_keys(base_losses, "of_base")
