"""How texts are compared and shown: as a person reads them, or to the character.

`normalise`, `quote_line` and `diff` go by words; `quote_repr` and `first_difference` by characters, white space
too: for labels and system prompts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from tunegate.utils.text import one_line

MAX_WIDTH = 70  # letters of evidence

_ACCENTS = re.compile("[\u0300-\u036f]")  # those of European letters; marks elsewhere are vowels
_MARKS = r"[.,;:!?¿¡…\"'“”‘’«»]+"
_EDGES = re.compile(rf"(?<!\S){_MARKS}|{_MARKS}(?!\S)")


def normalise(text: str) -> str:
    """Return a text without case, accents, white space and the punctuation around its words.

    Inside a word or a number punctuation stays: 1.5 is not 15. A text of nothing but punctuation
    is returned as it is.
    """
    # Mathematical letters have a case only once taken apart; casefold itself takes İ apart.
    folded = unicodedata.normalize("NFKD", text).casefold()
    without_accents = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded))
    cleaned = " ".join(_EDGES.sub(" ", without_accents).split())
    return unicodedata.normalize("NFC", cleaned) or text


def quote_line(text: str, width: int = MAX_WIDTH) -> str:
    """Return a text on one line, quoted, cut to a width."""
    text_line = one_line(text)
    return f"“{text_line}”" if len(text_line) <= width else f"“{text_line[: width - 1].rstrip()}…”"


def diff(text: str, other: str, width: int = MAX_WIDTH) -> str:
    """Return `text` on one line around where it differs from `other`: “…my [card|cards] is…”.

    In brackets stands what this text has, then what the other has instead.
    """
    text_words, other_words = one_line(text).split(), one_line(other).split()
    head = _common_prefix_length(text_words, other_words)
    tail = _common_prefix_length(text_words[head:][::-1], other_words[head:][::-1])
    if head == len(text_words) == len(other_words):
        return quote_line(text, width)
    changed = [_truncate(w[head : len(w) - tail], width // 3) for w in (text_words, other_words)]
    return _fit_window(
        text_words[:head], f"[{'|'.join(changed)}]", text_words[len(text_words) - tail :], width
    )


def quote_repr(text: str, width: int = 40) -> str:
    """Return a text to the character, as Python writes it, cut to a width."""
    return repr(text if len(text) <= width else f"{text[: width - 3]}...")


def first_difference(actual: str, expected: str) -> str:
    """Say from which character on two texts differ, and show both there, on one line."""
    pairs = enumerate(zip(actual, expected, strict=False))
    position = next((i for i, (a, b) in pairs if a != b), min(len(actual), len(expected)))
    return f"from character {position + 1} on {_excerpt(actual, position)} instead of {_excerpt(expected, position)}"


def _excerpt(text: str, position: int) -> str:
    start, end = max(position - 12, 0), position + 28
    left, right = ("..." if start else ""), ("..." if end < len(text) else "")
    return repr(f"{left}{text[start:end]}{right}") if text else "no text"


def _common_prefix_length(first: Sequence[str], second: Sequence[str]) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((k for k, (a, b) in pairs if a.lower() != b.lower()), min(len(first), len(second)))


def _truncate(tokens: Sequence[str], width: int) -> str:
    text = " ".join(tokens)
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def _fit_window(before: Sequence[str], middle: str, after: Sequence[str], width: int) -> str:
    """Join the three, as much of what stands before and after as the width allows."""
    left, right, free_width = " ".join(before), " ".join(after), width - len(middle)
    half = max(free_width // 2, free_width - len(right))
    if len(left) > half:
        left = f"…{left[len(left) - max(half - 1, 0) :]}"
    if len(right) > max(free_width - len(left), 0):
        right = f"{right[: max(free_width - len(left) - 1, 0)]}…"
    return f"“{' '.join(part for part in (left, middle, right) if part)}”"
