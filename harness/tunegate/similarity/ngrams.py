"""Finds passages that two texts share word for word: 13-grams of words.

GPT-3's test sets were cleaned by this rule (Brown et al. 2020, *Language Models are Few-Shot
Learners*, appendix C): 13-grams in lower case and without punctuation, where those that occur in
more than ten documents are boilerplate. Short texts have none.
"""

from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from ..utils.text import FIRST_UNSPACED, words_of

NGRAM_WORDS = 13
# Words. In a shorter text 13 words are often a set phrase ("please note that I do not need help
# with ..."), and the near-duplicate search finds copies of short texts.
MIN_WORDS = 50
BOILERPLATE_ROWS = 10  # rows

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
    ours = rows_by_ngram(map(ngram_hashes, left))
    theirs = rows_by_ngram(map(ngram_hashes, right), only=ours)
    found: dict[int, tuple[int, int]] = {}
    for ngram, rows in ours.items():
        matches = theirs.get(ngram, [])
        if matches and len(matches) + len(rows) <= BOILERPLATE_ROWS:
            for i in rows:
                if i not in found or matches[0] < found[i][0]:
                    found[i] = matches[0], ngram
    for i, (j, ngram) in sorted(found.items()):
        place = [*ngram_hashes(left[i])].index(ngram)
        yield i, j, long_ngrams(left[i])[place]


def ngram_hashes(text: str) -> Iterable[int]:
    """Return a hash, of this process alone, of each of the `long_ngrams` of a text."""
    import numpy as np

    words, size = _words_and_size(text) if len(text) >= MIN_WORDS else ([], 0)
    if not words:
        return ()
    count = len(words) - size + 1
    hashes = np.zeros(count, np.uint64)
    numbers = np.fromiter(map(hash, words), np.int64, len(words)).astype(np.uint64)
    for k in range(size):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + numbers[k : k + count]
    return dict.fromkeys(hashes.tolist())
