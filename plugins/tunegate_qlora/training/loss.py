"""The objectives and their losses in nats, and the proof that a saved model has them.

Replies are learnt by the mean cross entropy over the assistant's tokens, preferences by DPO:
Rafailov et al. 2023, arXiv:2305.18290. `test_dpo.py` compares its loss with TRL's. A model that is
read back from disk must have the loss that it had in memory.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import torch
from torch.nn.functional import cross_entropy, logsigmoid

from tunegate.interfaces.trainer import TrainingFailed
from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow

from ..config import BETA, Settings
from ..data.batches import Batch, Collator, make_collator, make_packing_collator, split_among_ranks
from ..data.training_data import EncodedItem, EncodedPair, TrainingData, conversations_of
from ..model import weights
from ..runtime import process_group

LOSS_KEYS = ("labels", "targets", "reference")  # entries of a batch that the model does not read
# Rows of a validation batch: more no longer fit a CPU's caches, and take up to twice as long.
MAX_VALIDATION_BATCH = 64
SAMPLE_ROWS = 64  # held-out rows, if there are any: enough to tell a model from its base
TOLERANCE = 0.01  # of the loss: bfloat16 keeps 8 bits, and a GPU sums in no fixed order
MIN_DIFFERENCE = 0.002  # nats: where a loss is small, 1 % of it is less than what bfloat16 rounds
IN_MEMORY = "in_memory"  # suffix of the figures that `learn` measures before the model is read back


def summed_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy summed over a batch, in nats.

    `labels` [rows, 1 + k] are as `batches.make_collator` makes them; of `logits` [rows, k or more,
    vocabulary] those after position k are not read.
    """
    targets = labels[:, 1:]
    kept_logits = logits[:, : targets.shape[1]].float()
    return cross_entropy(
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
        narrow = weights.supports_logits_to_keep(model)
        self.collate = make_packing_collator(narrow=narrow) if settings.packed else collate
        self.size = min(4 * settings.batch, MAX_VALIDATION_BATCH)

    def validate(self) -> float:
        """Return the loss per trained token of the validation rows, without dropout."""
        rows = conversations_of(self.held_out)
        return mean_loss(self.model, rows, self.size, self.padded_collator)

    def figures(self) -> dict[str, float]:
        """Return none: the validation loss is in the curves."""
        return {}


class DPOObjective:
    """The pairs of a `dpo` training with their reference, the loss, and figures of rewards.

    It has to be made while `model` still answers as the base, before a checkpoint is loaded: the
    reference of each pair is computed here, once. No second copy of the model is needed.
    """

    num_choices = 2

    def __init__(
        self, model: Any, train: Sequence[EncodedPair], held_out: Sequence[EncodedPair],
        settings: Settings, rows: Collator,
    ) -> None:  # fmt: skip
        self.model, self.beta, self.size = model, settings.beta or BETA, settings.batch
        self.divergence_factor = dpo_divergence_factor(self.beta)
        self.collate = make_pair_collator(rows)
        compute = getattr(torch, settings.compute)
        is_mixed = model.device.type == "cuda" and compute != torch.float32
        # Computed in the formats that the Trainer computes in.
        with torch.autocast(model.device.type, compute, enabled=is_mixed):
            self.train, self.held_out = self._with_reference(train), self._with_reference(held_out)

    def loss(self, outputs: Any, batch: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Return the loss of a pass, divided by the pairs of its step: see `loss_per_token`."""
        margin_gains = log_margins(outputs.logits, batch["targets"]) - batch["reference"]
        count = len(margin_gains) if num_items_in_batch is None else num_items_in_batch
        counted = batch["labels"][:, 1] != IGNORE_INDEX  # no pair of a dummy batch counts
        mean_loss: torch.Tensor = (dpo_losses(margin_gains, self.beta) * counted).sum() / count
        return mean_loss

    def validate(self) -> float:
        """Return the mean loss over the validation pairs, without dropout."""
        return float(dpo_losses(self._margin_gains(), self.beta).mean())

    def figures(self) -> dict[str, float]:
        """Return the rewards of the validation pairs, as TRL reports them under `rewards/`.

        `reward_accuracy` is the share of pairs whose preferred reply gained more log-probability
        than the rejected one, `reward_margin` the mean of beta times the difference, in nats.
        """
        if not self.held_out:
            return {}
        gained = self._margin_gains()
        accuracy, margin = (gained > 0).float().mean(), self.beta * gained.mean()
        return {"reward_accuracy": float(accuracy), "reward_margin": float(margin)}

    def _margin_gains(self) -> torch.Tensor:
        references = torch.tensor([pair.reference for pair in self.held_out])
        return self._pair_margins(self.held_out) - references

    def _with_reference(self, pairs: Sequence[EncodedPair]) -> list[EncodedPair]:
        pair_margins = self._pair_margins(pairs).tolist()
        return [replace(pair, reference=m) for pair, m in zip(pairs, pair_margins, strict=True)]

    @torch.no_grad()
    def _pair_margins(self, pairs: Sequence[EncodedPair]) -> torch.Tensor:
        """Return each pair's log margin, without dropout [pairs]; all processes must call this."""
        training = self.model.training
        self.model.eval()
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i].ids))
        pair_margins = torch.zeros(len(pairs))
        for start, is_own in split_among_ranks(
            range(0, len(order), self.size), process_group.rank(), process_group.world_size()
        ):
            indices = order[start : start + self.size]
            batch = self.collate([pairs[i] for i in indices])
            inputs = {k: v.to(self.model.device) for k, v in batch.items() if k not in LOSS_KEYS}
            targets = batch["targets"].to(self.model.device)
            gained = log_margins(self.model(**inputs).logits, targets).cpu()
            pair_margins[indices] += gained if is_own else 0
        self.model.train(training)
        return torch.tensor(process_group.all_reduce_sum(*pair_margins.tolist()))


def dpo_divergence_factor(beta: float) -> float:
    """Return how many times the loss of guessing counts as divergence.

    10 ln 2 is the loss of a model that prefers the wrong reply by 1000 to 1. Few pairs in a batch,
    or noisy preferences, can have twice the loss of guessing; a margin's loss grows with beta.
    """
    return 10.0 * max(1.0, beta / BETA)


def make_pair_collator(rows: Collator) -> Callable[[Sequence[EncodedPair]], Batch]:
    """Return a function that makes a batch of pairs: the preferred rows, then the rejected ones.

    `targets` [2 pairs, 1 + k] are what `batches.make_collator` calls labels. `labels` [pairs, 2]
    are for the Trainer, which counts those that are not IGNORE_INDEX: one a pair.
    """

    def collate(pairs: Sequence[EncodedPair]) -> Batch:
        batch = rows([p.preferred for p in pairs] + [p.rejected for p in pairs])
        counted = torch.tensor([[IGNORE_INDEX, 1]] * len(pairs))
        reference = torch.tensor([p.reference for p in pairs])
        return {**batch, "targets": batch["labels"], "labels": counted, "reference": reference}

    return collate


def log_margins(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return log p(preferred) - log p(rejected) of each pair of a batch, in nats [pairs]."""
    label_ids = targets[:, 1:]
    kept, flat = logits[:, : label_ids.shape[1]].float().flatten(0, 1), label_ids.flatten()
    nats = cross_entropy(kept, flat, ignore_index=IGNORE_INDEX, reduction="none")
    preferred, rejected = nats.view(label_ids.shape).sum(dim=1).chunk(2)
    return rejected - preferred


def dpo_losses(margin_gains: torch.Tensor, beta: float) -> torch.Tensor:
    """Return the loss of each pair, in nats (eq. 7); ln 2 where nothing was gained."""
    return -logsigmoid(beta * margin_gains)


Objective: TypeAlias = SupervisedObjective | DPOObjective


def make_objective(model: Any, rows: TrainingData, settings: Settings) -> Objective:
    """Return the objective that the settings name; the model must not be trained yet."""
    narrow = weights.supports_logits_to_keep(model)
    collate = make_collator(rows.chat_template.pad_id, narrow=narrow)
    if settings.objective == "supervised":
        return SupervisedObjective(model, rows, settings, collate)
    train, held_out = (cast(list[EncodedPair], items) for items in (rows.train, rows.validation))
    return DPOObjective(model, train, held_out, settings, collate)


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
) -> dict[str, float]:
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
    return {name: mean_loss(model, side, size, collate) for name, side in sides.items()}


def prefix_keys(losses: Mapping[str, float], suffix: str) -> dict[str, float]:
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
            losses = f"is {disk_loss:.4f} on {count} rows; in memory it was {memory_loss:.4f}"
            read = f"read back from disk, the model's {name.replace('_', ' ')}"
            raise TrainingFailed(f"{read} {losses}: what was written is not what was trained")
    if disk_losses == base_losses:
        same = f"no other than its base (loss {base_losses['loss']:.4f} on {count} rows)"
        raise TrainingFailed(f"the trained model is {same}: raise `learning_rate` or `epochs`")
    return prefix_keys(disk_losses, "from_disk") | prefix_keys(base_losses, "of_base")
