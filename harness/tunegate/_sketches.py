"""Sketches: a lower bound of the Indel distance, cheap enough for every pair in a window.

A text's sketch has one bit flipped for each (letter, how many times so far) in it. An insertion
or a deletion flips one bit, so two sketches never differ in more bits than the Indel distance of
their texts. Among real questions of some 60 letters one pair in 200 is left to compare; in texts
of more than a few hundred letters every two are too much alike for it to tell anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

BITS = 512
CHUNK = 5_000  # texts sketched at once: it bounds the memory


class Letters:
    """Texts as one array of letters, each letter by its rank; with their sketches.

    `folds` are the sketches folded into 128 bits: a weaker bound, but four times as many of them
    fit into the processor's cache.
    """

    def __init__(self, texts: Sequence[str], ranks: Array) -> None:
        self.sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        self.starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.sizes)])
        self.letters = ranks[_points(texts)]
        self.longest = int(self.sizes.max(initial=0))
        self.sketches = self._sketches()
        self.folds = np.bitwise_xor.reduce(self.sketches.reshape(-1, 4, 2), axis=1)

    def _sketches(self) -> Array:
        sketches = np.zeros((len(self.sizes), BITS // 64), np.uint64)
        for first in range(0, len(sketches), CHUNK):
            last = min(first + CHUNK, len(sketches))
            letters = self.letters[self.starts[first] : self.starts[last]]
            _flip(sketches[first:last], self.sizes[first:last], letters)
        return sketches


def _flip(sketches: Array, sizes: Array, letters: Array) -> None:
    owners = np.repeat(np.arange(len(sizes)), sizes)
    # The 43 commonest letters keep bits of their own up to their 11th time.
    bits = (letters + 43 * _times(owners, letters)) % BITS
    flips = np.left_shift(np.uint64(1), (bits & 63).astype(np.uint64))
    np.bitwise_xor.at(sketches, (owners, bits >> 6), flips)


def _times(owners: Array, letters: Array) -> Array:
    """Return for each letter how many of its kind stand before it in its text."""
    keys = owners * (int(letters.max(initial=0)) + 1) + letters
    order = np.argsort(keys, kind="stable")
    ordered, places = keys[order], np.arange(len(keys))
    new = np.concatenate([np.ones(min(1, len(keys)), bool), ordered[1:] != ordered[:-1]])
    times = np.empty(len(keys), np.int64)
    times[order] = places - np.maximum.accumulate(np.where(new, places, 0))
    return times


def both(left: Sequence[str], right: Sequence[str]) -> tuple[Letters, Letters]:
    """Return the letters of two lists of texts; of one, where the two are one."""
    ranks = _ranks([left] if left is right else [left, right])
    one = Letters(left, ranks)
    return one, one if left is right else Letters(right, ranks)


def _points(texts: Sequence[str]) -> Array:
    # A Python text may hold half a surrogate pair: it is still a text.
    data = "".join(texts).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(data, np.uint32)


def _ranks(texts: Sequence[Sequence[str]]) -> Array:
    """Return each code point's rank, the commonest first."""
    counts = np.asarray(sum(np.bincount(_points(side), minlength=0x110000) for side in texts))
    seen = np.flatnonzero(counts)
    ranks = np.zeros(0x110000, np.int32)
    ranks[seen[np.argsort(-counts[seen], kind="stable")]] = np.arange(len(seen), dtype=np.int32)
    return ranks


def candidates(
    queries: Letters, block: Array, targets: Letters, among: Array, cutoff: float
) -> tuple[Array, Array]:
    """Return (places in the block, targets) of every pair that may reach the cutoff."""
    window = targets.folds[among]
    bits = sum(np.bitwise_count(queries.folds[block, None, k] ^ window[:, k]) for k in (0, 1))
    # A distance up to (1 - cutoff) x total reaches it; the slack is for rounding.
    totals = queries.sizes[block, None] + targets.sizes[among]
    rows, columns = np.nonzero(bits <= (1 - cutoff) * totals + 1e-6)
    found = among[columns]
    apart = np.bitwise_count(queries.sketches[block[rows]] ^ targets.sketches[found]).sum(axis=1)
    left = apart <= (1 - cutoff) * totals[rows, columns] + 1e-6
    return rows[left], found[left]
