"""Pairs: a row with a preferred and a rejected reply, as token ids of both conversations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from tunegate.data.dataset import Example, rejected_reply
from tunegate.tokenization.chat_template import ChatTemplate, Messages
from tunegate.tokenization.encode import EncodedRow, NotTrainable, encode_example

from ..config.settings import Settings

MAX_SHOWN_LINES = 3  # lines named where rows have no rejected reply: the rest is a count


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """Two rows that begin with the same prompt; the loss falls on their last replies alone.

    `reference` is the base's log p(preferred) - log p(rejected), in nats; NaN until it is known.
    """

    preferred: EncodedRow
    rejected: EncodedRow
    reference: float = math.nan

    @property
    def line(self) -> int:
        """Where the row stands in its file."""
        return self.preferred.line

    @property
    def ids(self) -> list[int]:
        """The longer side: as wide a batch must be."""
        return max(self.preferred.ids, self.rejected.ids, key=len)

    @property
    def trained_tokens(self) -> int:
        """How many tokens the loss falls on, of both sides."""
        return self.preferred.trained_tokens + self.rejected.trained_tokens


EncodedItem: TypeAlias = EncodedRow | EncodedPair


def encoder_of(settings: Settings) -> Callable[[Example, ChatTemplate], EncodedItem]:
    """Return the function that makes of an example what the objective learns from."""
    return encode_pair if settings.objective == "dpo" else encode_example


def encode_all(
    examples: Iterable[Example], template: ChatTemplate, settings: Settings
) -> tuple[list[EncodedItem], list[NotTrainable]]:
    """Return what the objective learns from, and why the other examples are none of it."""
    encode_item, items, unfit = encoder_of(settings), [], []
    for example in examples:
        try:
            items.append(encode_item(example, template))
        except NotTrainable as error:
            unfit.append(error)
    return items, unfit


def encode_pair(example: Example, template: ChatTemplate) -> EncodedPair:
    """Return both sides of a row; raise Unfit, as `tunegate.tokenization.encode.encode` does, for either."""
    preferred, other = preference_examples(example)
    row = encode_example(preferred, template)
    try:
        return EncodedPair(row, encode_example(other, template))
    except NotTrainable as error:
        raise NotTrainable(f"{error} (with the rejected reply)") from None


def preference_examples(example: Example) -> tuple[Example, Example]:
    """Return the example with its preferred reply, and with the rejected one; raise Unfit.

    Earlier turns of the assistant are part of the prompt: DPO compares the replies to it.
    """
    rejected_message = rejected_reply(example)
    if rejected_message is None:
        raise NotTrainable(f"line {example.line}: no rejected reply")
    leading = [{**m, "weight": 0} if m["role"] == "assistant" else m for m in example.messages[:-1]]
    return _with_messages(example, [*leading, example.messages[-1]]), _with_messages(
        example, [*leading, rejected_message]
    )


def conversations_of(items: Iterable[EncodedItem]) -> list[EncodedRow]:
    """Return the conversations of items, one by one: both sides of a pair."""
    pairs = ((i.preferred, i.rejected) if isinstance(i, EncodedPair) else (i,) for i in items)
    return [row for conversations in pairs for row in conversations]


def missing_rejected_message(examples: Iterable[Example]) -> str:
    """Say in one line how many rows have no rejected reply, "" where each has one."""
    all_examples = list(examples)
    lines = [example.line for example in all_examples if rejected_reply(example) is None]
    message = f"{len(lines):,} of {len(all_examples):,} rows have no rejected reply ({_lines_text(lines)})"
    return message if lines else ""


def equal_replies_message(items: Sequence[EncodedItem]) -> str:
    """Say in one line how many pairs have two equal sides, "" where none has."""
    lines = [
        i.line for i in items if isinstance(i, EncodedPair) and i.preferred.ids == i.rejected.ids
    ]
    message = (
        f"in {len(lines):,} of {len(items):,} rows the two replies are equal ({_lines_text(lines)})"
    )
    return message if lines else ""


def _lines_text(lines: Sequence[int]) -> str:
    more = ", ..." if len(lines) > MAX_SHOWN_LINES else ""
    return f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines[:MAX_SHOWN_LINES]))}{more}"


def _with_messages(example: Example, messages: Messages) -> Example:
    return replace(example, fields={**example.fields, "messages": messages})
