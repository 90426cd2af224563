"""Sketches: a lower bound of the Indel distance, cheap enough for every pair in a window.

A text's sketch has one bit flipped for each (letter, how many times so far) in it. An insertion
or a deletion flips one bit, so two sketches never differ in more bits than the Indel distance of
their texts. Among real questions of some 60 letters one pair in 200 is left to compare; in texts
of more than a few hundred letters every two are too much alike for it to tell anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FlipBits = Callable[[Array, Array, Array], None]

BITS = 1024
COMMON_LETTERS = 43  # letters, the commonest, that have bits of their own up to their 11th time
CHUNK = 5_000  # texts sketched at once: it bounds the memory


class Letters:
    """Texts as one array of letters, each letter by its rank; with their sketches.

    `folds` are the sketches folded into 128 bits: a weaker bound, but four times as many of them
    fit into the processor's cache.
    """

    def __init__(self, sizes: Array, letters: Array, flip: FlipBits) -> None:
        self.sizes, self.letters = sizes, letters
        self.starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        self.longest = int(sizes.max(initial=0))
        self.sketches = np.zeros((len(sizes), BITS // 64), np.uint64)
        for first in range(0, len(sizes), CHUNK):
            last = min(first + CHUNK, len(sizes))
            chunk = letters[self.starts[first] : self.starts[last]]
            flip(self.sketches[first:last], sizes[first:last], chunk)
        self.folds = np.bitwise_xor.reduce(self.sketches.reshape(-1, BITS // 128, 2), axis=1)


def flip_bits(sketches: Array, sizes: Array, letters: Array) -> None:
    """Flip the bits of each text's letters in its sketch."""
    owners = np.repeat(np.arange(len(sizes)), sizes)
    bits = (letters + COMMON_LETTERS * _occurrence_numbers(owners, letters)) % BITS
    flips = np.left_shift(np.uint64(1), (bits & 63).astype(np.uint64))
    np.bitwise_xor.at(sketches, (owners, bits >> 6), flips)


def _occurrence_numbers(owners: Array, letters: Array) -> Array:
    """Return for each letter how many of its kind stand before it in its text."""
    keys = owners * (int(letters.max(initial=0)) + 1) + letters
    order = np.argsort(keys, kind="stable")
    ordered, positions = keys[order], np.arange(len(keys))
    is_first = np.concatenate([np.ones(min(1, len(keys)), bool), ordered[1:] != ordered[:-1]])
    times = np.empty(len(keys), np.int64)
    times[order] = positions - np.maximum.accumulate(np.where(is_first, positions, 0))
    return times


def encode_both(
    left: Sequence[str], right: Sequence[str], flip: FlipBits = flip_bits
) -> tuple[Letters, Letters]:
    """Return the letters of two lists of texts; of one, where the two are one."""
    sides = [left] if left is right else [left, right]
    points = [_code_points(side) for side in sides]
    ranks = _frequency_ranks(points)
    encoded = [
        Letters(np.fromiter(map(len, side), np.int64, len(side)), ranks[side_points], flip)
        for side, side_points in zip(sides, points, strict=True)
    ]
    return encoded[0], encoded[-1]


def _code_points(texts: Sequence[str]) -> Array:
    # A Python text may hold half a surrogate pair: it is still a text.
    data = "".join(texts).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(data, np.uint32)


def _frequency_ranks(sides: Sequence[Array]) -> Array:
    """Return each code point's rank, the commonest first."""
    size = max(int(points.max(initial=0)) for points in sides) + 1
    counts = np.asarray(sum(np.bincount(points, minlength=size) for points in sides))
    present = np.flatnonzero(counts)
    ranks = np.zeros(size, np.int32)
    ranks[present[np.argsort(-counts[present], kind="stable")]] = np.arange(
        len(present), dtype=np.int32
    )
    return ranks


def candidates(
    queries: Letters, block: Array, targets: Letters, target_indices: Array, cutoff: float
) -> tuple[Array, Array]:
    """Return (places in the block, targets) of every pair that may reach the cutoff."""
    window = targets.folds[target_indices]
    bits = sum(np.bitwise_count(queries.folds[block, None, k] ^ window[:, k]) for k in (0, 1))
    # A distance up to (1 - cutoff) x total reaches it; the slack is for rounding.
    totals = queries.sizes[block, None] + targets.sizes[target_indices]
    rows, columns = np.nonzero(bits <= (1 - cutoff) * totals + 1e-6)
    matches = target_indices[columns]
    differences = np.bitwise_count(queries.sketches[block[rows]] ^ targets.sketches[matches]).sum(
        axis=1
    )
    within_reach = differences <= (1 - cutoff) * totals[rows, columns] + 1e-6
    return rows[within_reach], matches[within_reach]
