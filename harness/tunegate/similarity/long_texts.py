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

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from zlib import crc32

from ..utils.text import UNSPACED
from .windows import Array, FindNear, Search, TextsByLength

SCREEN_LETTERS = 192  # three words of 64 bits, in which the compiled search compares a text
MAX_LETTERS = 2_000
RUN_WORDS = 3
SAMPLE_SIZE = 256
SCREENED = 256  # queries at once, at most
TABLE_SIZE = 1 << 22  # pairs of a hash and a target at once
RARE_SHARE = 0.2  # of a sample: so many common runs are looked for among the rarest
BLOCK_LETTERS = 1 << 17  # of the texts that are sampled at once
KEPT_SAMPLES = 1 << 17  # several checks search in the same texts; at most 2 kB each
SCREEN_SHARE = 0.7  # of the expected number of common runs in the sample

# Scripts without spaces count letter by letter; so do signs, and words of over 32 letters (keys).
_WORD = re.compile(rf"[^\W{UNSPACED}]{{1,32}}+(?![^\W{UNSPACED}])|\S")
_ASCII_WORD = re.compile(r"\w{1,32}+(?!\w)|[^\s\x1c-\x1f]", re.ASCII)  # the same, twice as fast


_kept: dict[str, Array] = {}  # the samples of texts
_LAST = 2**64 - 1


@lru_cache(maxsize=1 << 17)
def _word_number(word: str) -> int:
    """Return a number for a word, the same in every process: `hash` is not."""
    return crc32(word.encode("utf-8", "surrogatepass"))


@lru_cache(maxsize=128)
def _word_numbers(text: str) -> list[int]:
    return list(map(_word_number, (_ASCII_WORD if text.isascii() else _WORD).findall(text)))


def ratio(left: str, right: str) -> float:
    """Return the similarity of two texts: of their letters, of long texts of their words."""
    from rapidfuzz.distance import Indel

    if max(len(left), len(right)) > MAX_LETTERS:
        return Indel.normalized_similarity(_word_numbers(left), _word_numbers(right))
    return Indel.normalized_similarity(left, right)


def _samples(texts: Sequence[str]) -> tuple[Array, Array]:
    """Return the hashes of the samples of texts, the longest first, and how many each has."""
    import numpy as np

    known = {text: _kept[text] for text in texts if text in _kept}
    missing, k = [text for text in texts if text not in known], 0
    while k < len(missing):
        block = missing[k : k + max(BLOCK_LETTERS // (len(missing[k]) + 1), 1)]
        known |= zip(block, _samples_of(block), strict=True)
        k += len(block)
    if len(_kept) + len(missing) > KEPT_SAMPLES:
        _kept.clear()
    _kept.update(known if len(known) <= KEPT_SAMPLES else {})
    samples = [known[text] for text in texts]
    sizes = np.fromiter(map(len, samples), np.int64, len(samples))
    return np.concatenate([np.zeros(0, np.uint64), *samples]), sizes


def _samples_of(texts: Sequence[str]) -> list[Array]:
    """Return of each text the SAMPLE_SIZE smallest hashes of its runs of words, sorted.

    A run is hashed with its occurrence, the number of the same run before it.
    """
    import numpy as np

    numbers = [*map(_word_numbers, texts)]
    sizes = np.fromiter(map(len, numbers), np.int64, len(numbers))
    counts = np.maximum(sizes - RUN_WORDS + 1, np.minimum(sizes, 1))  # of runs; two words are one
    # A row for each text. Runs behind its last one sort behind all others.
    places = np.arange(int(sizes.max()))
    words = np.zeros((len(texts), len(places) + RUN_WORDS), np.uint64)
    words[:, : len(places)][places < sizes[:, None]] = [*chain.from_iterable(numbers)]
    runs, behind = np.zeros((len(texts), len(places)), np.uint64), places >= counts[:, None]
    for k in range(RUN_WORDS):
        runs = runs * np.uint64(0x9E3779B97F4A7C15) + words[:, k : k + len(places)]
    runs[behind] = _LAST
    runs.sort()
    is_new = np.diff(runs, axis=1, prepend=_LAST - runs[:, :1]) != 0
    firsts = np.maximum.accumulate(np.where(is_new, places, 0), axis=1)
    # The finaliser of splitmix64, so that the smallest hashes are a random sample.
    mixed = runs + (places - firsts).astype(np.uint64) * np.uint64(0xD1342543DE82EF95)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    mixed[behind] = _LAST
    mixed.sort()
    kept = np.minimum(counts, SAMPLE_SIZE).tolist()
    return [hashes[:size].copy() for hashes, size in zip(mixed, kept, strict=True)]


def screening_note(*sides: Sequence[str]) -> str:
    """Return, as evidence, how many texts are compared only where they share n-grams; or ""."""
    sizes = [len(text) for side in sides for text in side]
    count = sum(size > SCREEN_LETTERS for size in sizes)
    note = f"{count:,} of {len(sizes):,} texts have more than {SCREEN_LETTERS:,} letters: they were"
    return f"{note} compared where they share n-grams of {RUN_WORDS} words" if count else ""


class LongTextSearch:
    """Finds the pairs of which one text is long; those of short texts are left to another engine.

    That is `short`, which counts the short texts from 0.
    """

    def __init__(self, search: Search, short: FindNear) -> None:
        import numpy as np

        self.search, self.short = search, short
        self.long_queries, self.long_targets = _long_counts(search)
        # Targets of a long query, and long targets of any query.
        last = int(search.hi[: self.long_queries].max(initial=self.long_targets))
        hashes, self.sizes = asked, self.asked_sizes = _samples(search.targets.texts[:last])
        owners = np.repeat(np.arange(last), self.sizes)
        if not search.is_within_one_list:
            asking = int(np.searchsorted(search.lo, last))  # the others can be near to none of them
            asked, self.asked_sizes = _samples(search.queries.texts[:asking])
            # Most hashes of many targets have no beginning that one of the few asked has.
            is_asked = np.zeros(1 << 20, bool)
            is_asked[asked >> np.uint64(44)] = True
            may_be_asked = is_asked[hashes >> np.uint64(44)]
            hashes, owners = hashes[may_be_asked], owners[may_be_asked]
        order = np.argsort(hashes, kind="stable")
        known = hashes[order]
        # Of each hash of each query, where its owners stand that are of a length to be near. The
        # place of a hash and an owner make one number; in sorted order they are found fastest.
        self.places = np.append(np.searchsorted(known, known) * last + owners[order], -1)
        places = self.places[:-1]
        sorted_places = order if search.is_within_one_list else np.argsort(asked, kind="stable")
        asked_places = np.searchsorted(known, asked[sorted_places])
        is_known = asked_places < np.searchsorted(known, asked[sorted_places], "right")
        asked_places = np.where(is_known, asked_places * last, -last)
        queries = np.repeat(np.arange(len(self.asked_sizes)), self.asked_sizes)[sorted_places]
        self.hi = np.minimum(search.hi, last)
        self.hi[self.long_queries :] = np.minimum(self.hi[self.long_queries :], self.long_targets)
        lo = np.minimum(search.lo, last)
        self.asked, self.begins, self.ends = np.zeros((3, len(asked)), np.int64)
        self.asked[sorted_places] = asked_places
        for ends, bounds in ((self.begins, lo), (self.ends, np.maximum(lo, self.hi))):
            ends[sorted_places] = np.searchsorted(places, asked_places + bounds[queries])
        self.starts = np.concatenate([[0], np.cumsum(self.asked_sizes)])
        common = max(1 - RUN_WORDS * (1 - search.cutoff), 0.0)  # of the runs of either text
        self.min_share = SCREEN_SHARE * common / (2 - common)
        self.smallest = np.minimum.accumulate(self.sizes)  # of the samples of a target and longer
        self.first, self.screened = 0, list[Array]()  # what `_screen` returned, from a query on

    def find_near(self, i: int, labels: Array, skip: int) -> tuple[Array, Array]:
        """Find the targets near to query `i`: see `windows.FindNear`."""
        import numpy as np

        matches, similarities = np.zeros(0, np.int64), np.zeros(0)
        if i < len(self.asked_sizes) and self.search.lo[i] < self.hi[i]:
            if not self.first <= i < self.first + len(self.screened):
                self.first, self.screened = i, self._screen(i)
            chosen = self.screened[i - self.first]
            chosen = chosen[(labels[chosen] != skip) & (labels[chosen] >= 0)]
            text, others = self.search.queries.texts[i], self.search.targets.texts
            ratios = np.array([ratio(text, others[j]) for j in chosen.tolist()])
            is_near = ratios >= self.search.cutoff
            matches, similarities = chosen[is_near], ratios[is_near]
        if i >= self.long_queries:
            near, ratios = self.short(i - self.long_queries, labels[self.long_targets :], skip)
            matches = np.concatenate([matches, near + self.long_targets])
            similarities = np.concatenate([similarities, ratios])
        return matches, similarities

    def _screen(self, i: int) -> list[Array]:
        """Return, for each of some queries from `i` on, the targets with enough common runs."""
        import numpy as np

        end = min(i + SCREENED, len(self.asked_sizes))
        lo, hi = self.search.lo[i:end], self.hi[i:end]
        first, width = int(lo.min()), max(int(hi.max()) - int(lo.min()), 1)
        full = int(np.searchsorted(self.starts, self.starts[i] + TABLE_SIZE // width, "right"))
        end = max(i + 1, min(end, full - 1))
        rows, sizes = np.arange(end - i), self.asked_sizes[i:end]
        lo, hi = lo[: end - i], hi[: end - i]
        hashes = slice(self.starts[i], self.starts[end])
        asked, begins, ends = self.asked[hashes], self.begins[hashes], self.ends[hashes]
        # The fewest common runs that each needs. Some of those that most targets have are first
        # left out: a target with enough of all has enough of the others.
        fewest = self.min_share * np.minimum(sizes, self.smallest[hi - 1])
        skipped = int(max((fewest - RARE_SHARE * sizes).min(), 0))
        row_of, counts = np.repeat(rows, sizes), ends - begins
        rarest_first = np.lexsort((counts, row_of))
        last_places = np.cumsum(sizes)[:, None] - np.arange(1, skipped + 1)
        usual, rare = rarest_first[last_places], np.delete(rarest_first, last_places)
        rare = rare[counts[rare] > 0]
        # A table of the common runs: of a query a row, of a target a column.
        spans = zip(begins[rare].tolist(), ends[rare].tolist(), strict=True)
        cells = np.concatenate([self.places[:0], *[self.places[a:b] for a, b in spans]])
        cells += np.repeat(row_of[rare] * width - first - asked[rare], counts[rare])
        table = np.bincount(cells, minlength=len(rows) * width)
        cells = np.flatnonzero(table >= math.ceil(fewest.min() - skipped))
        row, target = cells // width, first + cells % width
        needed = self.min_share * np.minimum(sizes[row], self.sizes[target]) - table[cells]
        left = (needed <= skipped) & (lo[row] <= target) & (target < hi[row])
        row, target, needed = row[left], target[left], needed[left]
        # Of the few that are left, which of the others they have.
        wanted = asked[usual[row]] + target[:, None]
        is_common = self.places[np.searchsorted(self.places[:-1], wanted)] == wanted
        enough = is_common.sum(axis=1) >= needed
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
    short = TextsByLength(search.queries.texts[queries:])
    if search.is_within_one_list:
        return Search(short, short, search.cutoff)
    return Search(short, TextsByLength(search.targets.texts[targets:]), search.cutoff)
