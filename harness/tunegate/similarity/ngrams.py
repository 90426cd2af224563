"""Finds passages that two texts share word for word: 13-grams of words.

GPT-3's test sets were cleaned by this rule (Brown et al. 2020, *Language Models are Few-Shot
Learners*, appendix C): 13-grams in lower case and without punctuation, where those that occur in
more than ten documents are boilerplate. Short texts have none.
"""

from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

from ..utils.text import FIRST_UNSPACED, words_of
from .windows import Array

NGRAM_WORDS = 13
# Words. In a shorter text 13 words are often a set phrase ("please note that I do not need help
# with ..."), and the near-duplicate search finds copies of short texts.
MIN_WORDS = 50
BOILERPLATE_ROWS = 10  # rows
CACHED_TEXTS = 1 << 17  # training is held to each other split

UNSPACED_SCALE = 2  # letters that count as a word, in scripts without spaces between words

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
    unspaced = 0 if text.isascii() else sum(len(w) == 1 and w >= FIRST_UNSPACED for w in words)
    scale = UNSPACED_SCALE if 2 * unspaced > len(words) else 1
    return words if len(words) >= scale * min_words else [], scale * NGRAM_WORDS


def rows_by_ngram(
    ngrams: Iterable[Iterable[K]], only: Container[K] | None = None
) -> dict[K, list[int]]:
    """Return the indices of the texts that hold each n-gram, of the distinct n-grams of each.

    With `only`, other n-grams are left out, which bounds the memory.
    """
    indices: dict[K, list[int]] = {}
    for i, of_text in enumerate(ngrams):
        for ngram in of_text:
            if only is None or ngram in only:
                indices.setdefault(ngram, []).append(i)
    return indices


def shared_ngrams(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield (i, j, 13-gram) for each text i on the left that shares a 13-gram with the right.

    Text j is the first on the right that does. 13-grams in more than ten texts are boilerplate and
    are left out. They are compared by their hashes, which takes a tenth of the time.
    """
    import numpy as np

    sides = [[*map(_hash_array, side)] for side in (left, right)]
    # Sorted, behind them one that no text has; np.unique and np.isin take far longer.
    end = np.array([2**64 - 1], np.uint64)
    known = [np.sort(np.concatenate([*side, end])) for side in sides]
    ours, theirs = (
        [h[others[np.searchsorted(others, h)] == h] for h in side]
        for side, others in zip(sides, reversed(known), strict=True)
    )
    ngrams, positions, _, counts = _first_places(ours)
    _, _, matches, other_counts = _first_places(theirs)
    # Both hold the same n-grams in the same order. Of a text the best is the one whose match comes
    # first, then the first in order.
    rare = counts + other_counts <= BOILERPLATE_ROWS
    ranked = np.lexsort((positions, matches, ~rare))
    ranks = np.argsort(ranked)
    for i, hashes in enumerate(ours):
        best = ranked[ranks[np.searchsorted(ngrams, hashes)].min()] if len(hashes) else None
        if best is not None and rare[best]:
            words, size = _words_and_size(left[i])
            start = int((sides[0][i] == ngrams[best]).argmax())
            yield i, int(matches[best]), " ".join(words[start : start + size])


def _first_places(hashes: Sequence[Array]) -> tuple[Array, Array, Array, Array]:
    """Return the distinct hashes of texts, sorted, and of each where it first stands.

    Where: its position among all hashes, the text, and how many texts hold it.
    """
    import numpy as np

    joined = np.concatenate([np.zeros(0, np.uint64), *hashes])
    owners = np.repeat(np.arange(len(hashes)), [*map(len, hashes)])
    distinct, positions, places = np.unique(joined, return_index=True, return_inverse=True)
    texts_of_each = np.unique(places * len(hashes) + owners) // max(len(hashes), 1)
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
    hashes: Array = np.zeros(count, np.uint64)
    if count:
        numbers = np.fromiter(map(hash, words), np.int64, len(words)).astype(np.uint64)
        for k in range(size):
            hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + numbers[k : k + count]
    return hashes
