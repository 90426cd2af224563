"""The near-duplicate search, compiled by numba; importing this module imports numba.

A text's sketch is a set of bits with one flipped for each (letter, number of the same letter before
it). An insertion or a deletion flips one bit, so two sketches never differ in more bits than the
Indel distance of their texts. Of real questions with some 60 letters, one pair in 200 is left to
compare; the sketches of longer texts are too similar to exclude any pair.

Pairs that the sketches do not exclude are compared by rapidfuzz: the result is exact.
"""

from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any, TypeVar, cast

import numba
import numpy as np
from rapidfuzz.distance import Indel
from rapidfuzz.process import cpdist

from ..utils.processes import worker_count
from .windows import Array, Search, TextsByLength

BITS = 1024
COMMON_LETTERS = 43  # the commonest letters, which have own bits up to their 11th occurrence
BLOCK = 128  # queries at once: a call from Python takes as long as hundreds of comparisons
WINDOW = 256  # targets at once, so that their bits stay in the processor's first-level cache
MATCHES = 1 << 18  # pairs at once, or as many as there are targets
F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    """Compile a function with numba, and keep the machine code on disk if possible."""
    try:
        return cast(F, numba.njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # no writable folder for the code: installation and home are read-only
        return cast(F, numba.njit(error_model="numpy")(function))


@_compiled
def _popcount(bits: Any) -> int:
    # LLVM compiles this pattern to one instruction.
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    low = bits & np.uint64(0x3333333333333333)
    bits = low + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (bits * np.uint64(0x0101010101010101)) >> np.uint64(56)  # type: ignore[no-any-return]


@_compiled
def flip(sketches: Array, sizes: Array, letters: Array) -> None:
    """Flip the bits of each text's letters in its sketch."""
    times = np.zeros(letters.max() + 1 if letters.size else 1, np.int64)
    start = 0
    for i in range(sizes.size):
        end = start + sizes[i]
        for letter in letters[start:end]:
            bit = (letter + COMMON_LETTERS * times[letter]) % BITS
            sketches[i, bit >> 6] ^= np.uint64(1) << np.uint64(bit & 63)
            times[letter] += 1
        for letter in letters[start:end]:
            times[letter] = 0
        start = end


@_compiled
def _screen(
    queries: Array, skips: Array, query_sizes: Array, query_folds: Array, query_sketches: Array,
    sizes: Array, folds: Array, sketches: Array, lo: Array, hi: Array, labels: Array,
    cutoff: float, bits: Array, ends: Array, matches: Array,
) -> int:  # fmt: skip
    """Write the targets that may be near to each query into `matches`, their number into `ends`.

    Returns how many queries were done: it stops before one that may have more of them than
    `matches` has room for.
    """
    count = 0
    for q in range(queries.size):
        i = queries[q]
        if count + hi[i] - lo[i] > matches.size:
            return q
        fold_low, fold_high = query_folds[0, i], query_folds[1, i]
        for first in range(lo[i], hi[i], bits.size):
            n = min(hi[i] - first, bits.size)
            # No branch in this loop, so that it is vectorised. The first target is the longest and
            # allows the largest distance: more bits than it allows exclude any other target.
            for k in range(n):
                difference = _popcount(fold_low ^ folds[0, first + k]) + _popcount(
                    fold_high ^ folds[1, first + k]
                )
                bits[k] = np.uint8(difference)
            limit = (1 - cutoff) * (query_sizes[i] + sizes[first]) + 1e-6
            for k in range(n):
                j = first + k
                if bits[k] > limit or labels[j] == skips[q] or labels[j] < 0:
                    continue
                bit_count = np.uint64(0)
                for w in range(BITS // 64):
                    bit_count += _popcount(query_sketches[i, w] ^ sketches[j, w])
                if bit_count <= (1 - cutoff) * (query_sizes[i] + sizes[j]) + 1e-6:
                    matches[count] = j
                    count += 1
        ends[q] = count
    return queries.size


def sketch_both(left: TextsByLength, right: TextsByLength) -> list[Array]:
    """Return the sketches of two lists of texts: a row of BITS / 64 words for each text."""
    # Letters are ranked by their frequency.
    counts = Counter("".join(chain(left.texts, right.texts)))
    ranks = {ord(letter): rank for rank, (letter, _) in enumerate(counts.most_common())}
    both = []
    for side in [left, right] if left is not right else [left]:
        # A Python text may hold half a surrogate pair.
        letters = "".join(side.texts).translate(ranks).encode("utf-32-le", "surrogatepass")
        both.append(np.zeros((len(side.texts), BITS // 64), np.uint64))
        flip(both[-1], side.sizes, np.frombuffer(letters, np.uint32))
    return [both[0], both[-1]]


class CompiledSearch:
    """The compiled search, a block of queries at a time."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.sketches = sketch_both(search.queries, search.targets)
        # Folded into 128 bits by xor. Their bound is weaker, but eight times as many of them fit
        # into the processor's cache.
        folds = (
            np.bitwise_xor.reduce(s.reshape(-1, BITS // 128, 2), axis=1) for s in self.sketches
        )
        self.folds = [np.ascontiguousarray(fold.T) for fold in folds]
        self.hi = np.maximum(search.lo, search.hi)
        # Of the queries before `end`.
        self.rows: dict[int, tuple[Array, Array]] = {}
        self.end = 0
        # What the compiled code writes to.
        self.bits, self.ends = np.zeros(WINDOW, np.uint8), np.zeros(BLOCK, np.int64)
        self.matches = np.zeros(max(len(search.targets.texts), MATCHES), np.int64)

    def find_near(self, i: int, labels: Array, skip: int) -> tuple[Array, Array]:
        """Find the targets near to query `i`: see `windows.FindNear`."""
        if i >= self.end:
            self._search_from(i, labels)
        matches, similarities = self.rows.pop(i)
        remaining = (labels[matches] != skip) & (labels[matches] >= 0)
        return matches[remaining], similarities[remaining]

    def _search_from(self, i: int, labels: Array) -> None:
        """Search some queries from `i` on, as many as there is room for."""
        search = self.search
        self.end = min(i + BLOCK, len(search.lo))
        block = np.arange(i, self.end)
        if search.is_within_one_list:
            block = block[labels[block] >= 0]  # others are not queried any more
        skips = labels[block] if search.is_within_one_list else np.full(len(block), -1)
        done = _screen(
            block, skips, search.queries.sizes, self.folds[0], self.sketches[0],
            search.targets.sizes, self.folds[1], self.sketches[1], search.lo, self.hi, labels,
            search.cutoff, self.bits, self.ends, self.matches,
        )  # fmt: skip
        self.end = int(block[done]) if done < len(block) else self.end
        block, ends = block[:done], self.ends[:done]
        matches, counts = self.matches[: int(ends[-1])].copy(), np.diff(ends, prepend=0)
        texts = [search.queries.texts[i] for i in np.repeat(block, counts)]
        others = [search.targets.texts[j] for j in matches]
        similarities = cpdist(
            texts, others, scorer=Indel.normalized_similarity, dtype=np.float64,
            score_cutoff=search.cutoff - 1e-6, workers=worker_count(),
        )  # fmt: skip
        near = similarities >= search.cutoff
        rows = np.repeat(np.arange(len(block)), counts)[near]
        cuts = np.searchsorted(rows, np.arange(1, len(block)))
        columns = (np.split(column[near], cuts) for column in (matches, similarities))
        self.rows = dict(zip(block.tolist(), zip(*columns, strict=True), strict=True))
