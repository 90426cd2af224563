"""How texts are compared and shown: as a person reads them, or to the character.

`normalised`, `line` and `difference` go by words; `quoted` and `parting` by characters, white space
too: for labels and system prompts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

WIDTH = 70  # letters of evidence

_ACCENTS = re.compile("[\u0300-\u036f]")  # those of European letters; marks elsewhere are vowels
_MARKS = r"[.,;:!?¿¡…\"'“”‘’«»]+"
_EDGES = re.compile(rf"(?<!\S){_MARKS}|{_MARKS}(?!\S)")


def normalised(text: str) -> str:
    """Return a text without case, accents, white space and the punctuation around its words.

    Inside a word or a number punctuation stays: 1.5 is not 15. A text of nothing but punctuation
    is returned as it is.
    """
    # Mathematical letters have a case only once taken apart; casefold itself takes İ apart.
    folded = unicodedata.normalize("NFKD", text).casefold()
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded))
    words = " ".join(_EDGES.sub(" ", plain).split())
    return unicodedata.normalize("NFC", words) or text


def line(text: str, width: int = WIDTH) -> str:
    """Return a text on one line, quoted, cut to a width."""
    plain = " ".join(_plain(text))
    return f"“{plain}”" if len(plain) <= width else f"“{plain[: width - 1].rstrip()}…”"


def difference(this: str, other: str, width: int = WIDTH) -> str:
    """Return `this` on one line around where it differs from `other`: “…my [card|cards] is…”.

    In brackets stands what this text has, then what the other has instead.
    """
    ours, theirs = _plain(this), _plain(other)
    head = _alike(ours, theirs)
    tail = _alike(ours[head:][::-1], theirs[head:][::-1])
    if head == len(ours) == len(theirs):
        return line(this, width)
    changed = [_cut(w[head : len(w) - tail], width // 3) for w in (ours, theirs)]
    return _window(ours[:head], f"[{'|'.join(changed)}]", ours[len(ours) - tail :], width)


def quoted(text: str, width: int = 40) -> str:
    """Return a text to the character, as Python writes it, cut to a width."""
    return repr(text if len(text) <= width else f"{text[: width - 3]}...")


def parting(found: str, wanted: str) -> str:
    """Say from which character on two texts differ, and show both there, on one line."""
    pairs = enumerate(zip(found, wanted, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(found), len(wanted)))
    return f"from character {at + 1} on {_around(found, at)} instead of {_around(wanted, at)}"


def _around(text: str, at: int) -> str:
    start, end = max(at - 12, 0), at + 28
    left, right = ("..." if start else ""), ("..." if end < len(text) else "")
    return repr(f"{left}{text[start:end]}{right}") if text else "no text"


def _plain(text: str) -> list[str]:
    return "".join(c if c.isprintable() else " " for c in text).split()


def _alike(ours: Sequence[str], theirs: Sequence[str]) -> int:
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((k for k, (a, b) in pairs if a.lower() != b.lower()), min(len(ours), len(theirs)))


def _cut(words: Sequence[str], width: int) -> str:
    text = " ".join(words)
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def _window(before: Sequence[str], middle: str, after: Sequence[str], width: int) -> str:
    """Join the three, as much of what stands before and after as the width allows."""
    left, right, room = " ".join(before), " ".join(after), width - len(middle)
    half = max(room // 2, room - len(right))
    if len(left) > half:
        left = f"…{left[len(left) - max(half - 1, 0) :]}"
    if len(right) > max(room - len(left), 0):
        right = f"{right[: max(room - len(left) - 1, 0)]}…"
    return f"“{' '.join(part for part in (left, middle, right) if part)}”"
