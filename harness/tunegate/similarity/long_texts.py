"""Compares long texts only where they share runs of words, and the longest word by word.

Comparing the letters of two texts takes time in proportion to the product of their lengths, and a
list of texts has as many pairs as the square of its length. A pair of which one has more than
SCREEN_LETTERS letters is therefore compared only if a sample of its n-grams (runs of RUN_WORDS
words) says that enough of them are common. If one has more than MAX_LETTERS letters, it is compared
by its words instead of its letters: the similarity is the Indel similarity of the two lists of
words. There the limit means what it means for short texts: at 0.85, one word in seven may differ.

The sample is the bottom-k sketch of A. Broder (1997), *On the resemblance and containment of
documents*, of runs numbered by their occurrence. A word replaced changes RUN_WORDS runs (E. Ukkonen
1992, *Approximate string-matching with q-grams and maximal matches*), which says how many must be
common; SCREEN_SHARE leaves room for the error of the sample. So a long text in which more than one
word in seven is misspelt by a letter is not found, though most of its letters are right.
"""

import re
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from zlib import crc32

from ..utils.text import UNSPACED
from .windows import SCREEN_LETTERS, Array, FindNear, Search

MAX_LETTERS = 2_000
RUN_WORDS = 3
SAMPLE_SIZE = 256
SCREENED = 256  # queries at once, at most
WORD_CLASSES = 512
TABLE_SIZE = 500_000  # pairs of a query and a target, or common runs, at once
SCREEN_SHARE = 0.7  # of the expected number of common runs in the sample

# Scripts without spaces count letter by letter; so do signs, and words of over 32 letters (keys).
_WORD = re.compile(rf"[^\W{UNSPACED}]{{1,32}}+(?![^\W{UNSPACED}])|\S")
_ASCII_WORD = re.compile(r"\w{1,32}+(?!\w)|[^\s\x1c-\x1f]", re.ASCII)  # the same, twice as fast


@lru_cache(maxsize=1 << 17)
def _word_number(word: str) -> int:
    """Return a number for a word, the same in every process: `hash` is not."""
    return crc32(word.encode("utf-8", "surrogatepass"))


def _words(text: str) -> list[str]:
    words: list[str] = (_ASCII_WORD if text.isascii() else _WORD).findall(text)
    return words


_letters: dict[str, str] = {}  # for words: a million have one each, others share these at random


@lru_cache(maxsize=1 << 14)  # at most some 10 kB each
def _letter_per_word(text: str) -> str:
    """Return a text with a letter for each word: rapidfuzz compares texts twenty times as fast."""
    end = sys.maxunicode + 1
    return "".join([
        _letters.setdefault(w, chr(n if (n := len(_letters)) < end else _word_number(w) % end))
        for w in _words(text)
    ])  # fmt: skip


@lru_cache(maxsize=1 << 14)
def _word_counts(text: str) -> Array:
    """Return how often the words of a text occur, those of each of WORD_CLASSES together."""
    import numpy as np

    words = np.frombuffer(_letter_per_word(text).encode("utf-32-le", "surrogatepass"), np.uint32)
    return np.bincount(words % WORD_CLASSES, minlength=WORD_CLASSES)


def ratio(left: str, right: str, cutoff: float = 0.0) -> float:
    """Return the similarity of two texts, of long ones by words; below the cutoff maybe 0."""
    from rapidfuzz.distance import Indel

    if max(len(left), len(right)) > MAX_LETTERS:
        left, right = _letter_per_word(left), _letter_per_word(right)
    # With the cutoff itself, rapidfuzz 3.14 returns 0 for some pairs that reach it exactly.
    return Indel.normalized_similarity(left, right, score_cutoff=max(cutoff - 1e-6, 0.0))


@lru_cache(maxsize=1 << 17)  # several checks search in the same texts; at most 2 kB each
def _sample(text: str) -> Array:
    """Return the SAMPLE_SIZE smallest hashes of runs of words, each with its occurrence."""
    import numpy as np

    numbers = [*map(_word_number, _words(text))]
    count = max(len(numbers) - RUN_WORDS + 1, min(len(numbers), 1))  # one or two words are one run
    words = np.array([*numbers, *[0] * RUN_WORDS], np.uint64)
    runs = np.zeros(count, np.uint64)
    for k in range(RUN_WORDS):
        runs = runs * np.uint64(0x9E3779B97F4A7C15) + words[k : k + count]
    runs.sort()
    occurrences = (np.arange(count) - np.searchsorted(runs, runs)).astype(np.uint64)
    # The finaliser of splitmix64, so that the smallest hashes are a random sample.
    mixed = runs + occurrences * np.uint64(0xD1342543DE82EF95)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    hashes: Array = np.sort(mixed ^ (mixed >> np.uint64(31)))
    return hashes[:SAMPLE_SIZE]


def _samples(texts: Sequence[str]) -> tuple[Array, Array]:
    """Return the hashes of the samples of texts, and how many each has."""
    import numpy as np

    samples = [*map(_sample, texts)]
    sizes = np.fromiter(map(len, samples), np.int64, len(samples))
    return np.concatenate([np.zeros(0, np.uint64), *samples]), sizes


def screening_note(*sides: Sequence[str]) -> str:
    """Return, as evidence, how many texts are compared only where they share n-grams; or ""."""
    sizes = [len(text) for side in sides for text in side]
    count = sum(size > SCREEN_LETTERS for size in sizes)
    note = f"{count:,} of {len(sizes):,} texts have more than {SCREEN_LETTERS:,} letters: they were"
    return f"{note} compared where they share n-grams of {RUN_WORDS} words" if count else ""


class LongTextSearch:
    """Finds pairs with a long text; `short` finds those of short texts, counted from 0."""

    def __init__(self, search: Search, short: FindNear) -> None:
        import numpy as np

        self.search, self.short = search, short
        self.long_queries, self.long_targets = _long_counts(search)
        # Targets of a long query, and long targets of any query.
        last = int(search.hi[: self.long_queries].max(initial=self.long_targets))
        hashes, self.sizes = asked, self.asked_sizes = _samples(search.targets.texts[:last])
        order = sorted_places = np.argsort(hashes, kind="stable")
        self.owners = np.repeat(np.arange(last), self.sizes)[order]
        known = hashes[order]
        if not search.is_within_one_list:
            asking = int(np.searchsorted(search.lo, last))  # the others can be near to none of them
            asked, self.asked_sizes = _samples(search.queries.texts[:asking])
            sorted_places = np.argsort(asked, kind="stable")
        # Of each hash of each query, where its owners stand that are of a length to be near. The
        # place of a hash and an owner make one number; in sorted order they are found fastest.
        places = np.searchsorted(known, known) * last + self.owners
        asked_places = np.searchsorted(known, asked[sorted_places])
        is_known = asked_places < np.searchsorted(known, asked[sorted_places], "right")
        queries = np.repeat(np.arange(len(self.asked_sizes)), self.asked_sizes)[sorted_places]
        self.hi = np.minimum(search.hi, last)
        self.hi[self.long_queries :] = np.minimum(self.hi[self.long_queries :], self.long_targets)
        lo = np.minimum(search.lo, last)
        self.begins, self.ends = np.zeros((2, len(asked)), np.int64)
        for ends, bounds in ((self.begins, lo), (self.ends, np.maximum(lo, self.hi))):
            found = np.searchsorted(places, asked_places * last + bounds[queries])
            ends[sorted_places] = np.where(is_known, found, 0)
        self.starts = np.concatenate([[0], np.cumsum(self.asked_sizes)])
        common = max(1 - RUN_WORDS * (1 - search.cutoff), 0.0)  # of the runs of either text
        self.min_share = SCREEN_SHARE * common / (2 - common)
        self.smallest = np.minimum.accumulate(self.sizes)  # of the samples of a target and longer
        owned = np.concatenate([[0], np.cumsum(self.ends - self.begins)])
        self.before = owned[self.starts]  # how many owners the hashes of earlier queries have
        self.first, self.screened = 0, list[Array]()  # what `_screen` returned, from a query on
        self.compiled_screen: Callable[..., int] | None = None  # does what `_screen` does, faster
        self.nothing = np.zeros(0, np.int64), np.zeros(0)

    @property
    def estimated_seconds(self) -> float:
        """The time that finding common runs takes in numpy, as measured: 8 ns for each."""
        return 8e-9 * float(self.before[-1])

    def find_near(self, i: int, labels: Array, skip: int) -> tuple[Array, Array]:
        """Find the targets near to query `i`: see `windows.FindNear`."""
        import numpy as np

        of_long, long_ratios = self._find_among_long(i, labels, skip)
        if i < self.long_queries:
            return of_long, long_ratios
        near, ratios = self.short(i - self.long_queries, labels[self.long_targets :], skip)
        near = near + self.long_targets
        if not len(of_long):
            return near, ratios
        return np.concatenate([of_long, near]), np.concatenate([long_ratios, ratios])

    def _find_among_long(self, i: int, labels: Array, skip: int) -> tuple[Array, Array]:
        """Find the targets near to query `i`, of pairs of which one text is long."""
        import numpy as np

        chosen = self.nothing[0]
        if i < len(self.asked_sizes) and self.search.lo[i] < self.hi[i]:
            if not self.first <= i < self.first + len(self.screened):
                self.first, self.screened = i, self._screen(i)
            chosen = self.screened[i - self.first]
        if not len(chosen):
            return self.nothing
        chosen = chosen[(labels[chosen] != skip) & (labels[chosen] >= 0)]
        text, others = self.search.queries.texts[i], self.search.targets.texts
        cutoff = self.search.cutoff
        if len(text) > MAX_LETTERS and len(chosen):
            # What two texts do not have in common has to be inserted or deleted.
            counts = np.array([_word_counts(others[j]) for j in chosen.tolist()])
            own = _word_counts(text)
            most = (1 - cutoff) * (counts.sum(1) + own.sum()) + 1e-6
            chosen = chosen[np.abs(counts - own).sum(1) <= most]
        ratios = np.array([ratio(text, others[j], cutoff) for j in chosen.tolist()])
        is_near = ratios >= cutoff
        return chosen[is_near], ratios[is_near]

    def _screen(self, i: int) -> list[Array]:
        """Return, for each of some queries from `i` on, the targets with enough common runs."""
        import numpy as np

        if self.compiled_screen:
            common, bounds = np.zeros(len(self.sizes), np.int64), np.zeros(SCREENED, np.int64)
            matches = np.empty(max(len(self.sizes), TABLE_SIZE), np.int64)
            done = self.compiled_screen(
                i, self.starts, self.begins, self.ends, self.owners, self.search.lo, self.hi,
                self.asked_sizes, self.sizes, self.min_share,
                common, matches, bounds,
            )  # fmt: skip
            return np.split(matches[: bounds[done - 1]], bounds[: done - 1])
        end = min(i + SCREENED, len(self.asked_sizes))
        lo, hi = self.search.lo[i:end], self.hi[i:end]
        first, width = int(lo.min()), max(int(hi.max()) - int(lo.min()), 1)
        full = int(np.searchsorted(self.before, self.before[i] + TABLE_SIZE, "right")) - 1
        end = max(i + 1, min(end, full, i + TABLE_SIZE // width))
        # A table of the common runs: of a query a row, of a target a column.
        rows, sizes = np.arange(end - i), self.asked_sizes[i:end]
        hashes = slice(self.starts[i], self.starts[end])
        begins, counts = self.begins[hashes], self.ends[hashes] - self.begins[hashes]
        places = np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        cells = np.repeat(np.repeat(rows * width - first, sizes), counts) + self.owners[places]
        table = np.bincount(cells, minlength=len(rows) * width).reshape(len(rows), width)
        # First by the fewest that any of them needs, which leaves a few to look at.
        fewest = self.min_share * np.minimum(sizes, self.smallest[hi[rows] - 1])
        row, column = np.nonzero(table >= fewest[:, None])
        target = first + column
        enough = table[row, column] >= self.min_share * np.minimum(sizes[row], self.sizes[target])
        enough &= (lo[row] <= target) & (target < hi[row])
        return np.split(target[enough], np.searchsorted(row[enough], rows[1:]))


def _long_counts(search: Search) -> tuple[int, int]:
    """Return how many queries and how many targets are long."""
    sides = search.queries.sizes, search.targets.sizes
    queries, targets = (int((sizes > SCREEN_LETTERS).sum()) for sizes in sides)
    return queries, targets


def short_texts(search: Search) -> Search | None:
    """Return the search among the short texts; None if there are no long ones."""
    queries, targets = _long_counts(search)
    if not queries and not targets:
        return None
    short = search.queries.without_longest(queries)
    if search.is_within_one_list:
        return Search(short, short, search.cutoff)
    return Search(short, search.targets.without_longest(targets), search.cutoff)
