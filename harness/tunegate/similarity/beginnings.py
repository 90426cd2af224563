"""Finds the beginnings that several texts share: instructions, templates, documents.

In the tree of all beginnings in whole words, one is shared if enough different texts have it, and
if it is more than MIN_LETTERS longer than the last shared one on its way. The shared ends of texts
are the shared beginnings of the reversed texts.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from ..utils.text import UNSPACED

MIN_LETTERS = 20
MIN_TEXTS = 3  # above half of all: half of a few texts may well be copies of one

_TO_THE_LAST_WORD = re.compile(rf".*[\s{UNSPACED}]", re.DOTALL)
_WORD = re.compile(rf"\s*(?:[{UNSPACED}]|[^\s{UNSPACED}]*\s?)")
_AFTER_ALL = "\U0010ffff"


def shared_beginnings(texts: Sequence[str], fewest: int, part: float = 0.0) -> list[int]:
    """Return, for each text, the size of the beginning that it shares with `fewest` texts, or 0.

    It is the longest of them, never the whole text, and at least a `part` of it. Equal texts count
    once. Where no more than half of the texts, and MIN_TEXTS, share one, all are 0: what a few have
    in common is their own.
    """
    ordered = sorted({*texts})
    sizes = dict.fromkeys(ordered, 0)
    nodes = [(0, len(ordered), 0)]
    while nodes:
        first, end, shared = nodes.pop()  # ordered[first:end] begin alike; `shared` letters count
        if end - first < fewest:
            continue
        size = _common_size(ordered[first], ordered[end - 1])
        if size > shared + MIN_LETTERS:
            shared = size
            found = (t for t in ordered[first:end] if part * len(t) <= size < len(t))
            sizes.update(dict.fromkeys(found, size))
        nodes += ((a, b, shared) for a, b in _branches(ordered, first, end, size))
    count = sum(size > 0 for size in sizes.values())
    return [sizes[text] if 2 * (count - MIN_TEXTS) >= len(ordered) else 0 for text in texts]


def _common_size(text: str, other: str) -> int:
    """Return how many letters two texts have in common at the beginning, in whole words."""
    lengths = range(1, min(len(text), len(other)) + 1)
    letters = bisect_left(lengths, True, key=lambda k: text[:k] != other[:k])
    if letters == len(text) < len(other) and other[letters].isspace():
        return letters + 1  # the instruction alone, and with something behind it
    words = _TO_THE_LAST_WORD.match(text, 0, letters)
    return words.end() if words else 0


def _branches(ordered: Sequence[str], first: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the texts that go on with each word, after the same `size` letters."""
    while first < end:
        text = ordered[first]
        word = _WORD.match(text, size)
        stem = text[: word.end()] if word else text
        # A text that ends with the word stands before those that only have its letters.
        last = first + 1 if stem == text else bisect_left(ordered, stem + _AFTER_ALL, first, end)
        yield first, last
        first = last
