"""What a rule is, and what it finds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text, `text[start:end]`, that holds personal data of one kind."""

    kind: str
    start: int
    end: int


def accept_all(_: str) -> bool:
    """Accept every match: the shape alone says what it is."""
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """A shape, a test of the value, and how much the words around it must say.

    `words` names the families of vocabulary (see `vocabulary`) of which one must stand by the
    value; with none the shape speaks for itself. A rule that is `weak` has no check digit to lean
    on: the nearest label must be its own. A rule that is `shy` stays silent under a label such as
    "order" or "protocol"; rules with words always do. The value is the pattern's group `v`, or
    the whole match. `digits` and `has` are the prefilter: a text with fewer digits, or without
    that substring, is never searched.
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
    """Compile a pattern (its parts joined) without regard to case: people type in lower case."""
    return re.compile("".join(pattern), re.IGNORECASE)


def number_pattern(*pattern: str) -> re.Pattern[str]:
    """Compile a pattern for a number that is no part of a longer one, a price or an address."""
    return compile_pattern(r"(?<![\w$€£#/=.\-])(?<![$€£] )(?:", *pattern, r")(?!\w|[.,/\-]\d)")


def only_digits(value: str) -> str:
    """Return the value's ASCII digits."""
    return "".join(c for c in value if c in "0123456789")
