"""Finds passages that two texts share word for word: 13-grams of words.

GPT-3's test sets were cleaned by this rule (Brown et al. 2020, *Language Models are Few-Shot
Learners*, appendix C): 13-grams in lower case and without punctuation, where those that occur in
more than ten documents are boilerplate. Short texts have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .windows import Array

from ..utils.text import FIRST_UNSPACED, WORD_PATTERN

NGRAM_WORDS = 13
# Words. In a shorter text 13 words are often a set phrase ("please note that I do not need help
# with ..."), and the near-duplicate search finds copies of short texts.
MIN_WORDS = 50
BOILERPLATE_ROWS = 10  # rows

UNSPACED_SCALE = 2  # letters that count as a word, in scripts without spaces between words

_WORD = re.compile(WORD_PATTERN)


def long_ngrams(text: str, min_words: int = MIN_WORDS) -> list[str]:
    """Return the distinct 13-grams of a text in order; none if it has under `min_words` words.

    Of a text in a script without spaces they have 26 letters.
    """
    words = _WORD.findall(text.lower())
    unspaced = 0 if text.isascii() else sum(len(w) == 1 and w >= FIRST_UNSPACED for w in words)
    scale = UNSPACED_SCALE if 2 * unspaced > len(words) else 1
    if len(words) < scale * min_words:
        return []
    size = scale * NGRAM_WORDS
    starts = range(len(words) - size + 1)
    return list(dict.fromkeys(" ".join(words[k : k + size]) for k in starts))


def rows_by_ngram(
    texts: Sequence[str], only: Mapping[str, object] | None = None
) -> dict[str, list[int]]:
    """Return the indices of the texts that hold each 13-gram.

    With `only`, other 13-grams are left out, which bounds the memory.
    """
    indices: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        for ngram in long_ngrams(text):
            if only is None or ngram in only:
                indices.setdefault(ngram, []).append(i)
    return indices


def shared_ngrams(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield (i, j, 13-gram) for each text i on the left that shares a 13-gram with the right.

    Text j is the first on the right that does. 13-grams in more than ten texts are boilerplate and
    are left out.
    """
    left, right = _sharing_texts(left, right)
    left_rows = rows_by_ngram(left)
    right_rows = rows_by_ngram(right, only=left_rows)
    first_match: dict[int, tuple[int, str]] = {}
    for ngram, rows in left_rows.items():
        matches = right_rows.get(ngram, [])
        if matches and len(matches) + len(rows) <= BOILERPLATE_ROWS:
            for i in rows:
                if i not in first_match or matches[0] < first_match[i][0]:
                    first_match[i] = (matches[0], ngram)
    yield from ((i, j, ngram) for i, (j, ngram) in sorted(first_match.items()))


def _sharing_texts(left: Sequence[str], right: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return both lists, with "" for each text that shares no 13-gram with the other list.

    The 13-grams are compared by their hashes, which takes a tenth of the time: few texts are left.
    """
    import numpy as np

    sharing: list[list[str]] = []
    hashes = [[_ngram_hashes(text) for text in side] for side in (left, right)]
    # Sorted, behind them one that no text has; np.unique and np.isin take far longer.
    end = np.array([2**64 - 1], np.uint64)
    first, second = (np.sort(np.concatenate([*side, end])) for side in hashes)
    for texts, found, others in ((left, hashes[0], second), (right, hashes[1], first)):
        pairs = zip(texts, found, strict=True)
        sharing.append(
            [t if (others[np.searchsorted(others, h)] == h).any() else "" for t, h in pairs]
        )
    return sharing[0], sharing[1]


def _ngram_hashes(text: str) -> Array:
    """Return a hash of each 13-gram of a text; of this process alone, since that of a word is."""
    import numpy as np

    words = _WORD.findall(text.lower()) if len(text) >= 2 * MIN_WORDS - 1 else []
    size = len(words) - NGRAM_WORDS + 1 if len(words) >= MIN_WORDS else 0
    hashes: Array = np.zeros(size, np.uint64)
    if size:
        numbers = np.fromiter(map(hash, words), np.int64, len(words)).astype(np.uint64)
        for k in range(NGRAM_WORDS):
            hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + numbers[k : k + size]
    return hashes
