"""What a training reads: the snapshots that passed, as rows of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.data.dataset import Dataset
from tunegate.interfaces.trainer import Plan
from tunegate.tokenization.chat_template import ChatTemplate
from tunegate.tokenization.encode import NotTrainable

from ..config.settings import Settings
from ..model import chat_template as template
from . import rows
from .overflow import apply_overflow, max_row_tokens
from .rows import EncodedItem


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The rows that are trained on and those that are held out, and how many were set aside.

    They are pairs for `dpo`.
    """

    chat_template: ChatTemplate
    train: Sequence[EncodedItem]
    validation: Sequence[EncodedItem]
    dropped_rows: int

    @property
    def tokens(self) -> int:
        """Tokens in the training rows, prompts included; with both sides of a pair."""
        return sum(len(row.ids) for row in rows.conversations_of(self.train))


def load_training_data(plan: Plan, settings: Settings, root: Path) -> TrainingData:
    """Encode the plan's snapshots; raise Unfit or Unrendered where they cannot be trained on."""
    chat_template = template.load_template(root)
    max_tokens = max_row_tokens(settings, root)
    train = _encode_split(plan.train, plan, settings, chat_template)
    validation = (
        _encode_split(plan.validation, plan, settings, chat_template) if plan.validation else []
    )
    fitting = apply_overflow(train, max_tokens, settings.on_overflow)
    if not fitting:
        raise NotTrainable(
            f"no row of the training set is left: {len(train):,} of them are too long"
        )
    held_out = apply_overflow(validation, max_tokens, settings.on_overflow)
    dropped = len(train) + len(validation) - len(fitting) - len(held_out)
    return TrainingData(chat_template, fitting, held_out, dropped)


def _encode_split(
    path: Path, plan: Plan, settings: Settings, chat_template: ChatTemplate
) -> list[EncodedItem]:
    encode = rows.encoder_of(settings)
    return [encode(example, chat_template) for example in Dataset.read(path, columns=plan.columns)]
