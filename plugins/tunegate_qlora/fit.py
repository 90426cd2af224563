"""Rows longer than the model may read: refused, set aside, or cut where no answer stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from tunegate.encode import IGNORED, Row, Unfit

from . import base
from .config import Settings
from .pairs import Item, Pair

T = TypeVar("T", Row, Pair, Item)

_CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length")


def limit(settings: Settings, folder: Path) -> int:
    """Return the longest row, in tokens: `max_length`, or the base's context if that is shorter."""
    return min(settings.max_length, context(folder))


def context(folder: Path) -> int:
    """Return how many tokens the base can read; a great number where it does not say."""
    config = base.config(folder)
    text = config.get("text_config") or {}
    found = [c.get(key) for key in _CONTEXT for c in (config, text)]
    return min((n for n in found if isinstance(n, int) and n > 0), default=2**31)


def overflowing(rows: Sequence[Item], longest: int) -> str:
    """Return one line about the rows that are too long, "" where none is."""
    over = [row for row in rows if len(row.ids) > longest]
    if not over:
        return ""
    worst = max(over, key=lambda row: len(row.ids))
    return (
        f"{len(over):,} of {len(rows):,} rows are longer than {longest:,} tokens "
        f"(the longest, line {worst.line}: {len(worst.ids):,}); raise `max_length` where the base "
        'reads more, or set `on_overflow` to "drop" or "truncate"'
    )


def fit(rows: Sequence[T], longest: int, on_overflow: str) -> list[T]:
    """Return the rows that are trained on, in their order; raise Unfit as `on_overflow` says.

    Cutting takes tokens from a row's start. It never leaves part of an answer: one that the cut
    would go through is no longer trained on, and a row left without any answer raises Unfit. Both
    sides of a pair lose what the longer one has too much, so that their prompt stays the same.
    """
    told = overflowing(rows, longest)
    if told and on_overflow == "raise":
        raise Unfit(told)
    if on_overflow == "truncate":
        return [_cut(row, len(row.ids) - longest) for row in rows]
    return [row for row in rows if len(row.ids) <= longest]


def _cut(row: T, start: int) -> T:
    if isinstance(row, Pair):
        sides = {"preferred": row.preferred, "rejected": row.rejected}
        longer = sorted(sides, key=lambda name: -len(sides[name].ids))  # first: it is what is told
        cut = {name: _cut(sides[name], start) for name in longer}
        return replace(row, preferred=cut["preferred"], rejected=cut["rejected"])
    if start <= 0:
        return row
    labels = row.labels[start:]
    if labels and labels[0] != IGNORED:  # the cut goes through an answer, or right before it
        through = next((i for i, n in enumerate(labels) if n == IGNORED), len(labels))
        labels = [IGNORED] * through + labels[through:]
    if all(label == IGNORED for label in labels[1:]):
        raise Unfit(
            f"line {row.line}: {len(row.ids):,} tokens cannot be cut to {len(labels):,} "
            "without cutting the answer"
        )
    return Row(row.line, row.ids[start:], labels)
