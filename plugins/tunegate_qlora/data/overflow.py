"""Applies `on_overflow` to rows that are too long: refuse, drop, or cut the start of the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow, NotTrainable

from ..config.settings import Settings
from ..model.base import context_length
from .rows import EncodedItem, EncodedPair

T = TypeVar("T", EncodedRow, EncodedPair, EncodedItem)


def max_row_tokens(settings: Settings, folder: Path) -> int:
    """Return how many tokens a row may have: `max_length`, or the base's context if less."""
    return min(settings.max_length, context_length(folder))


def overflow_message(rows: Sequence[EncodedItem], longest: int) -> str:
    """Describe in one line the rows with more than `longest` tokens; "" where there is none."""
    too_long = [row for row in rows if len(row.ids) > longest]
    if not too_long:
        return ""
    worst = max(too_long, key=lambda row: len(row.ids))
    return (
        f"{len(too_long):,} of {len(rows):,} rows are longer than {longest:,} tokens "
        f"(the longest, line {worst.line}: {len(worst.ids):,}); raise `max_length` where the base "
        'reads more, or set `on_overflow` to "drop" or "truncate"'
    )


def apply_overflow(rows: Sequence[T], longest: int, on_overflow: str) -> list[T]:
    """Return the rows to train on, in their order, each with at most `longest` tokens.

    Cutting removes tokens from the start of a row, and never a part of an answer: an answer that
    the cut goes through is kept as text and no longer trained on. Both sides of a pair lose as
    many tokens as the longer one has too many, so that they keep the same prompt.

    Args:
        rows: The encoded rows of a split.
        longest: The largest number of tokens.
        on_overflow: "raise", "drop" or "truncate".

    Raises:
        NotTrainable: With "raise" a row is too long; with "truncate" no answer of a row is left.
    """
    message = overflow_message(rows, longest)
    if message and on_overflow == "raise":
        raise NotTrainable(message)
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
    labels = row.labels[start:]
    if labels and labels[0] != IGNORE_INDEX:  # the cut goes through an answer, or right before it
        answer_end = next((i for i, n in enumerate(labels) if n == IGNORE_INDEX), len(labels))
        labels = [IGNORE_INDEX] * answer_end + labels[answer_end:]
    if all(label == IGNORE_INDEX for label in labels[1:]):
        raise NotTrainable(
            f"line {row.line}: {len(row.ids):,} tokens cannot be cut to {len(labels):,} "
            "without cutting the answer"
        )
    return EncodedRow(row.line, row.ids[start:], labels)
