"""A detection rule, and the span of text that it finds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a text, `text[start:end]`, that holds personal data of one kind."""

    kind: str
    start: int
    end: int


def accept_all(_: str) -> bool:
    """Accept every match: for patterns that need no check."""
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern, a check of the matched value, and the labels that the value needs beside it.

    The value is the pattern's group `v`, or the whole match. It must pass `valid`. One label of
    `label_families` (see `vocabulary`) must stand near it; an empty tuple needs none. With
    `needs_own_label` (for values without check digits) the nearest label must be of these families.
    With `silent_under_other_label` a value under a label such as "order" or "protocol" is no
    finding; for rules with label families it never is. A text with fewer digits than `min_digits`,
    or without the substring `contains` (lower case), is not searched.
    """

    kind: str
    pattern: re.Pattern[str]
    valid: Callable[[str], bool] = accept_all
    label_families: tuple[str, ...] = ()
    needs_own_label: bool = False
    silent_under_other_label: bool = False
    min_digits: int = 0
    contains: str = ""


def compile_pattern(*pattern: str) -> re.Pattern[str]:
    """Compile the joined parts of a pattern, ignoring case: people type in lower case."""
    return re.compile("".join(pattern), re.IGNORECASE)


def number_pattern(*pattern: str) -> re.Pattern[str]:
    """Compile a pattern for a number that is not part of a longer number, a price or a path."""
    return compile_pattern(r"(?<![\w$€£#/=.\-])(?<![$€£] )(?:", *pattern, r")(?!\w|[.,/\-]\d)")


def only_digits(value: str) -> str:
    """Return the value's ASCII digits."""
    return "".join(c for c in value if c in "0123456789")
