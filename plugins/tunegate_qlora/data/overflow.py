"""Rows longer than the model may read: refused, set aside, or cut where no answer stands."""

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
    """Return the longest row, in tokens: `max_length`, or the base's context if that is shorter."""
    return min(settings.max_length, context_length(folder))


def overflow_message(rows: Sequence[EncodedItem], longest: int) -> str:
    """Return one line about the rows that are too long, "" where none is."""
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
    """Return the rows that are trained on, in their order; raise Unfit as `on_overflow` says.

    Cutting takes tokens from a row's start. It never leaves part of an answer: one that the cut
    would go through is no longer trained on, and a row left without any answer raises Unfit. Both
    sides of a pair lose what the longer one has too much, so that their prompt stays the same.
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
        by_length = sorted(
            sides, key=lambda name: -len(sides[name].ids)
        )  # first: it is what is told
        cut_sides = {name: _cut_start(sides[name], start) for name in by_length}
        return replace(row, preferred=cut_sides["preferred"], rejected=cut_sides["rejected"])
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
