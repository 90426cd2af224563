"""Finds what texts share word for word: passages, and beginnings.

Passages are 13-grams of words in lower case and without punctuation, by the rule that GPT-3's test
sets were cleaned by (Brown et al. 2020, *Language Models are Few-Shot Learners*, appendix C): those
that occur in more than ten documents are boilerplate. Short texts have none.

Beginnings are instructions, templates, documents. In the tree of all beginnings in whole words, one
is shared if enough different texts have it, and if it is more than MIN_LETTERS longer than the last
shared one on its way. The shared ends of texts are the shared beginnings of the reversed texts.
"""

import re
from bisect import bisect_left
from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

from ..utils.text import FIRST_UNSPACED, UNSPACED, is_latin, words_of
from .windows import Array

NGRAM_WORDS = 13
# Words. In a shorter text 13 words are often a set phrase ("please note that I do not need help
# with ..."), and the near-duplicate search finds copies of short texts.
MIN_WORDS = 50
BOILERPLATE_ROWS = 10  # rows
CACHED_TEXTS = 1 << 17  # training is held to each other split

UNSPACED_SCALE = 2  # letters that count as a word, in scripts without spaces between words

MIN_LETTERS = 20
MIN_TEXTS = 3  # above half of all: half of a few texts may well be copies of one
_TO_THE_LAST_WORD = re.compile(rf".*[\s{UNSPACED}]", re.DOTALL)
_WORD = re.compile(rf"\s*(?:[{UNSPACED}]|[^\s{UNSPACED}]*\s?)")
_AFTER_ALL = "\U0010ffff"

K = TypeVar("K", bound=Hashable)


def long_ngrams(text: str, min_words: int = MIN_WORDS) -> list[str]:
    """Return the distinct 13-grams of a text in order; none if it has under `min_words` words.

    Of a text in a script without spaces they have 26 letters.
    """
    words, size = _words_and_size(text, min_words)
    starts = range(len(words) - size + 1)
    return list(dict.fromkeys(" ".join(words[k : k + size]) for k in starts))


def _words_and_size(text: str, min_words: int = MIN_WORDS) -> tuple[list[str], int]:
    """Return the words of a text, none if they are too few, and how many make an n-gram."""
    words = words_of(text.lower())
    unspaced = 0 if is_latin(text) else sum(len(w) == 1 and w >= FIRST_UNSPACED for w in words)
    scale = UNSPACED_SCALE if 2 * unspaced > len(words) else 1
    return words if len(words) >= scale * min_words else [], scale * NGRAM_WORDS


def indices_by_key(
    keys: Iterable[Iterable[K]], only: Container[K] | None = None
) -> dict[K, list[int]]:
    """Return the indices of the items that have each key; `only` bounds the keys and the memory."""
    indices: dict[K, list[int]] = {}
    for i, of_item in enumerate(keys):
        for key in of_item:
            if only is None or key in only:
                indices.setdefault(key, []).append(i)
    return indices


def shared_ngrams(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield (i, j, 13-gram) for each text i on the left that shares a 13-gram with the right.

    Text j is the first on the right. 13-grams in more than ten texts are left out as boilerplate.
    """
    import numpy as np

    sides = [[*map(_hash_array, side)] for side in (left, right)]
    end = np.array([2**64 - 1], np.uint64)  # behind all others; no text has it
    ours, theirs = (np.concatenate([*side, end]) for side in sides)
    counts_by_side = ([*map(len, side), 1] for side in sides)
    our_texts, their_texts = (np.repeat(np.arange(len(n)), n) for n in counts_by_side)
    # np.unique and np.isin take far longer.
    known = np.sort(ours)
    is_common = known[np.searchsorted(known, theirs)] == theirs
    theirs, their_texts = theirs[is_common][:-1], their_texts[is_common][:-1]
    known = np.sort(np.append(theirs, end))
    is_common = known[np.searchsorted(known, ours)] == ours
    ours, our_texts = ours[is_common][:-1], our_texts[is_common][:-1]
    ngrams, positions, _, counts = _first_places(ours, our_texts)
    _, _, matches, other_counts = _first_places(theirs, their_texts)
    # Both hold the same n-grams in the same order. Of a text the best is the one whose match comes
    # first, then the first in order.
    rare = counts + other_counts <= BOILERPLATE_ROWS
    ranked = np.lexsort((positions, matches, ~rare))
    ranks = np.argsort(ranked)
    for i, hashes in enumerate(np.split(ours, np.searchsorted(our_texts, range(1, len(left))))):
        best = ranked[ranks[np.searchsorted(ngrams, hashes)].min()] if len(hashes) else None
        if best is not None and rare[best]:
            words, size = _words_and_size(left[i])
            start = int((sides[0][i] == ngrams[best]).argmax())
            yield i, int(matches[best]), " ".join(words[start : start + size])


def _first_places(hashes: Array, owners: Array) -> tuple[Array, Array, Array, Array]:
    """Return the distinct hashes, sorted, with each one's first place and text, and text count."""
    import numpy as np

    distinct, positions, places = np.unique(hashes, return_index=True, return_inverse=True)
    count = int(owners.max(initial=0)) + 1
    texts_of_each = np.unique(places * count + owners) // count
    counts = np.bincount(texts_of_each, minlength=len(distinct))
    return distinct, positions, owners[positions], counts


def ngram_hashes(text: str) -> Iterable[int]:
    """Return a hash, of this process alone, of each of the `long_ngrams` of a text."""
    return dict.fromkeys(_hash_array(text).tolist())


@lru_cache(maxsize=CACHED_TEXTS)
def _hash_array(text: str) -> Array:
    """Return a hash of each 13-gram of a text, in order."""
    import numpy as np

    words, size = _words_and_size(text) if len(text) >= MIN_WORDS else ([], 0)
    count = len(words) - size + 1 if words else 0
    hashes: Array = np.zeros(0, np.uint64)
    if count:
        hashes = np.fromiter(map(hash, words), np.int64, len(words)).astype(np.uint64)
        half = 1  # of runs of one word, those of two, four, eight; two of eight make one of 13
        while 2 * half <= size:
            power = np.uint64(pow(0x9E3779B97F4A7C15, half, 2**64))
            hashes, half = hashes[:-half] * power + hashes[half:], 2 * half
        hashes = hashes[:count] * np.uint64(0xD1342543DE82EF95) + hashes[size - half :]
    return hashes


def shared_beginnings(texts: Sequence[str], fewest: int, part: float = 0.0) -> list[int]:
    """Return, for each text, the size of the beginning that it shares with `fewest` texts, or 0.

    It is the longest, never the whole text, at least a `part` of it; equal texts count once. All
    are 0 where no more than half, and MIN_TEXTS, share one: what a few have in common is theirs.
    """
    ordered = sorted({*texts})
    if part:  # most texts share too little with the next one, or the one before
        heads = [text[: max(MIN_LETTERS, int(part * len(text)) - 1)] for text in ordered]
        beside = zip(["", *ordered], heads, [*ordered[1:], ""], strict=False)
        count = sum(other.startswith(head) or last.startswith(head) for last, head, other in beside)
        if 2 * (count - MIN_TEXTS) < len(ordered):
            return [0] * len(texts)
    sizes = dict.fromkeys(ordered, 0)
    nodes = [(0, len(ordered), 0, 0)]
    while nodes:
        # ordered[first:end] have `begun` letters in common; the first `shared` of them count.
        first, end, shared, begun = nodes.pop()
        if end - first < fewest:
            continue
        size = _common_size(ordered[first], ordered[end - 1])
        if size > shared + MIN_LETTERS:
            shared = size
            found = (t for t in ordered[first:end] if part * len(t) <= size < len(t))
            sizes.update(dict.fromkeys(found, size))
        # A quotation mark before letters that differ is common, and no whole word: go on behind it.
        branches = _branches(ordered, first, end, max(size, begun))
        nodes += ((a, b, shared, letters) for a, b, letters in branches)
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


def _branches(
    ordered: Sequence[str], first: int, end: int, size: int
) -> Iterator[tuple[int, int, int]]:
    """Yield bounds of the texts that go on with a word after `size` letters, and where it ends."""
    while first < end:
        text = ordered[first]
        word = _WORD.match(text, size)
        stem = text[: word.end()] if word else text
        last = first + 1
        if stem != text:  # a text that ends with the word stands before others with its letters
            last = max(last, bisect_left(ordered, stem + _AFTER_ALL, first, end))
        yield first, last, len(stem)
        first = last
