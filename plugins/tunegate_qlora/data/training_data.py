"""What a training reads: its plan, settings and folders, and the rows as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.config.settings import parse_settings
from tunegate.data.dataset import Dataset
from tunegate.interfaces.trainer import Plan
from tunegate.tokenization.chat_template import ChatTemplate, load_template
from tunegate.tokenization.encode import NotTrainable

from ..config import Settings
from ..model import base
from . import rows
from .rows import EncodedItem, apply_overflow, max_row_tokens


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A plan with its settings as an object, the folder of its base, and the run's folder."""

    plan: Plan
    settings: Settings
    base_folder: Path
    folder: Path

    @property
    def model_folder(self) -> Path:
        """The folder in the run that the trained model is written to."""
        return self.folder / ("model" if self.settings.method == "full" else "adapter")


def make_job(plan: Plan, folder: Path) -> TrainingJob:
    """Return the job of a plan, to be trained into the run's folder.

    Raises ValueError where a setting is not valid, the base is not found, or its files are not
    those that the gate was opened for.
    """
    settings = parse_settings(Settings, plan.config)
    base_folder = base.locate_base(settings.base, plan.root)
    if plan.base_digest and base.folder_digest(base_folder) != plan.base_digest:
        raise ValueError(
            f"the base in {base_folder} has changed since this run was planned: plan it again"
        )
    return TrainingJob(plan, settings, base_folder, folder)


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


def load_training_data(job: TrainingJob) -> TrainingData:
    """Encode the snapshots of a job with the base's template, and apply `on_overflow`.

    Raises:
        NotTrainable: A row cannot be trained on, or no row of the training split is left.
        TemplateError: The template cannot be read, or refuses a conversation.
    """
    settings, chat_template = job.settings, load_template(job.base_folder)
    max_tokens = max_row_tokens(settings, job.base_folder)
    encode, encoded, fitting = rows.encoder_of(settings), 0, []
    for path in (job.plan.train, job.plan.validation):
        dataset = Dataset.read(path, columns=job.plan.columns) if path else ()
        items = [encode(example, chat_template) for example in dataset]
        encoded += len(items)
        fitting.append(apply_overflow(items, max_tokens, settings.on_overflow))
    train, validation = fitting
    if not train:
        raise NotTrainable("no row of the training set is left: all of them are too long")
    return TrainingData(chat_template, train, validation, encoded - len(train) - len(validation))
