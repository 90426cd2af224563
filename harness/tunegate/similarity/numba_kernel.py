"""Screens the pairs of a search, compiled by numba; importing this module imports numba.

A text's sketch is a set of bits with one flipped for each (letter, number of the same letter before
it). An insertion or a deletion flips one bit, so two sketches never differ in more bits than the
Indel distance of their texts. Of real questions with some 60 letters, one pair in 200 is left to
compare; the sketches of longer texts are too similar to exclude any pair.
"""

from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any, TypeVar, cast

import numba
import numpy as np

from .windows import Array, Search, TextsByLength

BITS = 1024
COMMON_LETTERS = 43  # the commonest letters, which have own bits up to their 11th occurrence
WINDOW = 256  # targets at once, so that their bits stay in the processor's first-level cache
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
    block: Array, query_sizes: Array, query_folds: Array, query_sketches: Array, sizes: Array,
    folds: Array, sketches: Array, lo: Array, hi: Array, labels: Array, excluded: int,
    cutoff: float, bits: Array, matches: Array, counts: Array,
) -> None:  # fmt: skip
    """Write the targets that may be near to each query into `matches`; `counts` has how many."""
    count = 0
    for q in range(block.size):
        i, before = block[q], count
        fold_low, fold_high = query_folds[0, i], query_folds[1, i]
        for first in range(lo[q], hi[q], bits.size):
            n = min(hi[q] - first, bits.size)
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
                if bits[k] > limit or labels[j] == excluded or labels[j] < 0:
                    continue
                bit_count = np.uint64(0)
                for w in range(BITS // 64):
                    bit_count += _popcount(query_sketches[i, w] ^ sketches[j, w])
                if bit_count <= (1 - cutoff) * (query_sizes[i] + sizes[j]) + 1e-6:
                    matches[count] = j
                    count += 1
        counts[q] = count - before


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


class Screen:
    """Finds the pairs of a search that their sketches do not exclude."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.sketches = sketch_both(search.queries, search.targets)
        # Folded into 128 bits by xor. Their bound is weaker, but eight times as many of them fit
        # into the processor's cache.
        words = (sketches.reshape(-1, BITS // 128, 2) for sketches in self.sketches)
        self.folds = [np.ascontiguousarray(np.bitwise_xor.reduce(w, axis=1).T) for w in words]

    def candidates(self, block: Array, labels: Array, excluded: int) -> tuple[Array, Array]:
        """Return the pairs of a block of queries: their indices in the block, and the targets.

        Targets with a negative label, and with the label `excluded`, are left out.
        """
        search = self.search
        lo, hi = search.lo[block], np.maximum(search.lo, search.hi)[block]
        matches, counts = np.empty((hi - lo).sum(), np.int64), np.zeros(len(block), np.int64)
        _screen(
            block, search.queries.sizes, self.folds[0], self.sketches[0], search.targets.sizes,
            self.folds[1], self.sketches[1], lo, hi, labels, excluded, search.cutoff,
            np.zeros(WINDOW, np.uint8), matches, counts,
        )  # fmt: skip
        return np.repeat(np.arange(len(block)), counts), matches[: counts.sum()].copy()
