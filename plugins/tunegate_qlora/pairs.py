"""Pairs: a row with a preferred and a rejected reply, as token ids of both conversations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from tunegate.dataset import Example
from tunegate.encode import Row, Unfit, encode
from tunegate.preferences import rejected
from tunegate.template import Messages, Template

from .config import Settings

SHOWN = 3  # lines named where rows have no rejected reply: the rest is a count


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows that begin with the same prompt; the loss falls on their last replies alone.

    `reference` is the base's log p(preferred) - log p(rejected), in nats; NaN until it is known.
    """

    preferred: Row
    rejected: Row
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
    def trained(self) -> int:
        """How many tokens the loss falls on, of both sides."""
        return self.preferred.trained + self.rejected.trained


Item: TypeAlias = Row | Pair


def encoder(settings: Settings) -> Callable[[Example, Template], Item]:
    """Return the function that makes of an example what the objective learns from."""
    return pair if settings.objective == "dpo" else encode


def encoded(
    examples: Iterable[Example], template: Template, settings: Settings
) -> tuple[list[Item], list[Unfit]]:
    """Return what the objective learns from, and why the other examples are none of it."""
    encode, items, unfit = encoder(settings), [], []
    for example in examples:
        try:
            items.append(encode(example, template))
        except Unfit as error:
            unfit.append(error)
    return items, unfit


def pair(example: Example, template: Template) -> Pair:
    """Return both sides of a row; raise Unfit, as `tunegate.encode.encode` does, for either."""
    preferred, other = sides(example)
    row = encode(preferred, template)
    try:
        return Pair(row, encode(other, template))
    except Unfit as error:
        raise Unfit(f"{error} (with the rejected reply)") from None


def sides(example: Example) -> tuple[Example, Example]:
    """Return the example with its preferred reply, and with the rejected one; raise Unfit.

    Earlier turns of the assistant are part of the prompt: DPO compares the replies to it.
    """
    other = rejected(example)
    if other is None:
        raise Unfit(f"line {example.line}: no rejected reply")
    before = [{**m, "weight": 0} if m["role"] == "assistant" else m for m in example.messages[:-1]]
    return _with(example, [*before, example.messages[-1]]), _with(example, [*before, other])


def rows(items: Iterable[Item]) -> list[Row]:
    """Return the conversations of items, one by one: both sides of a pair."""
    pairs = ((i.preferred, i.rejected) if isinstance(i, Pair) else (i,) for i in items)
    return [row for both in pairs for row in both]


def without(examples: Iterable[Example]) -> str:
    """Say in one line how many rows have no rejected reply, "" where each has one."""
    every = list(examples)
    lines = [example.line for example in every if rejected(example) is None]
    told = f"{len(lines):,} of {len(every):,} rows have no rejected reply ({_named(lines)})"
    return told if lines else ""


def equal(items: Sequence[Item]) -> str:
    """Say in one line how many pairs have two equal sides, "" where none has."""
    lines = [i.line for i in items if isinstance(i, Pair) and i.preferred.ids == i.rejected.ids]
    told = f"in {len(lines):,} of {len(items):,} rows the two replies are equal ({_named(lines)})"
    return told if lines else ""


def _named(lines: Sequence[int]) -> str:
    more = ", ..." if len(lines) > SHOWN else ""
    return f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines[:SHOWN]))}{more}"


def _with(example: Example, messages: Messages) -> Example:
    return replace(example, fields={**example.fields, "messages": messages})
