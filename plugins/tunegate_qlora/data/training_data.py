"""Reads the snapshots of a plan as rows of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.data.dataset import Dataset
from tunegate.interfaces.trainer import Plan
from tunegate.tokenization.chat_template import ChatTemplate, load_template
from tunegate.tokenization.encode import NotTrainable

from ..config.settings import Settings
from . import rows
from .overflow import apply_overflow, max_row_tokens
from .rows import EncodedItem


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The encoded rows of the training and the validation split; for `dpo` they are pairs.

    `dropped_rows` counts the rows of both splits that `on_overflow = "drop"` left out.
    """

    chat_template: ChatTemplate
    train: Sequence[EncodedItem]
    validation: Sequence[EncodedItem]
    dropped_rows: int

    @property
    def tokens(self) -> int:
        """The number of tokens in the training rows, with prompts and both sides of a pair."""
        return sum(len(row.ids) for row in rows.conversations_of(self.train))


def load_training_data(plan: Plan, settings: Settings, root: Path) -> TrainingData:
    """Encode the snapshots of a plan with the base's template, and apply `on_overflow`.

    Args:
        plan: Names the snapshots.
        settings: The settings of the plan.
        root: The base's folder.

    Raises:
        NotTrainable: A row cannot be trained on, or no row of the training split is left.
        TemplateError: The template cannot be read, or refuses a conversation.
    """
    chat_template = load_template(root)
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
