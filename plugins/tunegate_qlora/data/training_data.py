"""What a training reads: its plan, settings and folders, and the rows as token ids.

Examples are encoded as the objective learns from them: single rows, or pairs for DPO. Those that
are too long are treated as `on_overflow` says: refused, dropped, or cut at the start of the prompt.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

from tunegate.config.schema import parse_settings
from tunegate.data.dataset import Dataset, Example, rejected_reply
from tunegate.interfaces.trainer import Plan
from tunegate.tokenization.chat_template import ChatTemplate, load_template, template_options
from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow, NotTrainable, encode_example

from ..config import Settings
from ..model import folders

MAX_SHOWN_LINES = 3  # line numbers that a message names


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

    def load_template(self) -> ChatTemplate:
        """Read the base's tokenizer, with the chat template as the settings have it."""
        return load_template(self.base_folder, template_options(self.plan.config, self.plan.root))


def make_job(plan: Plan, folder: Path) -> TrainingJob:
    """Return the job of a plan; raises ValueError for a bad setting, no base, or a changed one."""
    settings = parse_settings(Settings, plan.config)
    base_folder = folders.locate_base(settings.base, plan.root)
    if plan.base_digest and folders.folder_digest(base_folder) != plan.base_digest:
        changed = "has changed since this run was planned: plan it again"
        raise ValueError(f"the base in {base_folder} {changed}")
    return TrainingJob(plan, settings, base_folder, folder)


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """Two rows with the same prompt, of which only the last reply is trained on.

    `reference` is the base's log p(preferred) - log p(rejected), in nats, NaN at first.
    """

    preferred: EncodedRow
    rejected: EncodedRow
    reference: float = math.nan

    @property
    def line(self) -> int:
        return self.preferred.line

    @property
    def ids(self) -> list[int]:
        """The token ids of the longer side, which decides the width of a batch."""
        return max(self.preferred.ids, self.rejected.ids, key=len)

    @property
    def trained_tokens(self) -> int:
        """The number of tokens that the loss falls on, in both sides."""
        return self.preferred.trained_tokens + self.rejected.trained_tokens


EncodedItem: TypeAlias = EncodedRow | EncodedPair
T = TypeVar("T", EncodedRow, EncodedPair, EncodedItem)


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The encoded rows of both splits, for `dpo` pairs; `dropped_rows` were too long in either."""

    chat_template: ChatTemplate
    train: Sequence[EncodedItem]
    validation: Sequence[EncodedItem]
    dropped_rows: int

    @property
    def tokens(self) -> int:
        """The number of tokens in the training rows, with prompts and both sides of a pair."""
        return sum(len(row.ids) for row in conversations_of(self.train))


def load_training_data(job: TrainingJob) -> TrainingData:
    """Encode the snapshots of a job, apply `on_overflow`; raises NotTrainable, TemplateError."""
    settings, chat_template = job.settings, job.load_template()
    max_tokens = max_row_tokens(settings, job.base_folder)
    encode, encoded, fitting = encoder_of(settings), 0, []
    for path in (job.plan.train, job.plan.validation):
        dataset = Dataset.read(path, columns=job.plan.columns) if path else ()
        items = [encode(example, chat_template) for example in dataset]
        encoded += len(items)
        fitting.append(apply_overflow(items, max_tokens, settings.on_overflow))
    train, validation = fitting
    if not train:
        raise NotTrainable("no row of the training set is left: all of them are too long")
    return TrainingData(chat_template, train, validation, encoded - len(train) - len(validation))


def encoder_of(settings: Settings) -> Callable[[Example, ChatTemplate], EncodedItem]:
    """Return the function that encodes an example for the objective; it raises NotTrainable."""
    return encode_pair if settings.objective == "dpo" else encode_example


def encode_pair(example: Example, template: ChatTemplate) -> EncodedPair:
    """Encode an example with its preferred and its rejected reply; raises NotTrainable.

    Earlier assistant messages get weight 0: they are part of the prompt that both replies answer.
    """
    if (rejected := rejected_reply(example)) is None:
        raise NotTrainable(f"line {example.line}: no rejected reply")
    leading = [{**m, "weight": 0} if m["role"] == "assistant" else m for m in example.messages[:-1]]
    preferred_side, rejected_side = (
        replace(example, fields={**example.fields, "messages": [*leading, reply]})
        for reply in (example.messages[-1], rejected)
    )
    preferred_row = encode_example(preferred_side, template)
    try:
        return EncodedPair(preferred_row, encode_example(rejected_side, template))
    except NotTrainable as error:
        raise NotTrainable(f"{error} (with the rejected reply)") from None


def conversations_of(items: Iterable[EncodedItem]) -> list[EncodedRow]:
    """Return the rows that items consist of: both sides of a pair, the preferred one first."""
    pairs = ((i.preferred, i.rejected) if isinstance(i, EncodedPair) else (i,) for i in items)
    return [row for conversations in pairs for row in conversations]


def equal_replies_message(items: Sequence[EncodedItem]) -> str:
    """Say in one line how many pairs have two equal sides, "" where none has."""
    pairs = [item for item in items if isinstance(item, EncodedPair)]
    lines = [pair.line for pair in pairs if pair.preferred.ids == pair.rejected.ids]
    count = f"{len(lines):,} of {len(items):,}"
    more = ", ..." if len(lines) > MAX_SHOWN_LINES else ""
    where = f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines[:MAX_SHOWN_LINES]))}{more}"
    return f"in {count} rows the two replies are equal ({where})" if lines else ""


def max_row_tokens(settings: Settings, folder: Path) -> int:
    """Return how many tokens a row may have: `max_length`, or the base's context if less."""
    return min(settings.max_length, folders.context_length(folder))


def apply_overflow(rows: Sequence[T], longest: int, on_overflow: str) -> list[T]:
    """Return the rows to train on, in their order, each with at most `longest` tokens.

    Cutting removes tokens from the start of a row, behind what the template writes before the first
    text of the user (BOS, the system message), and never a part of an answer: an answer that
    the cut goes through is kept as text and no longer trained on. Both sides of a pair lose as
    many tokens as the longer one has too many, so that they keep the same prompt. Raises
    NotTrainable where with "raise" a row is too long, or with "truncate" no answer of it is left.
    """
    if on_overflow == "raise" and (too_long := [row for row in rows if len(row.ids) > longest]):
        worst = max(too_long, key=lambda row: len(row.ids))
        which = f"the longest, line {worst.line}: {len(worst.ids):,}"
        longer = f"{len(too_long):,} of {len(rows):,} rows are longer than {longest:,} tokens"
        remedy = 'where the base reads more, or set `on_overflow` to "drop" or "truncate"'
        raise NotTrainable(f"{longer} ({which}); raise `max_length` {remedy}")
    if on_overflow == "truncate":
        return [_cut_start(row, len(row.ids) - longest) for row in rows]
    return [row for row in rows if len(row.ids) <= longest]


def _cut_start(row: T, start: int) -> T:
    if isinstance(row, EncodedPair):
        sides = {"preferred": row.preferred, "rejected": row.rejected}
        # The longer side first: if both cannot be cut, the error is about that one.
        by_length = sorted(sides, key=lambda name: -len(sides[name].ids))
        cut = {name: _cut_start(sides[name], start) for name in by_length}
        return replace(row, preferred=cut["preferred"], rejected=cut["rejected"])
    if start <= 0:
        return row
    head, rest = row.ids[: row.head], row.head + start  # what the template writes first is kept
    labels = row.labels[rest:]
    if labels and labels[0] != IGNORE_INDEX:  # the cut goes through an answer, or right before it
        answer_end = next((i for i, n in enumerate(labels) if n == IGNORE_INDEX), len(labels))
        labels = [IGNORE_INDEX] * answer_end + labels[answer_end:]
    if all(label == IGNORE_INDEX for label in labels[not row.head :]):
        uncut = f"cannot be cut to {len(row.ids) - start:,} without cutting the answer"
        raise NotTrainable(f"line {row.line}: {len(row.ids):,} tokens {uncut}")
    return EncodedRow(row.line, head + row.ids[rest:], [IGNORE_INDEX] * row.head + labels, row.head)
