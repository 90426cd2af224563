"""Computes sketches: bit sets that bound the Indel distance of two texts from below.

A text's sketch has one bit flipped for each (letter, number of the same letter before it). An
insertion or a deletion flips one bit, so two sketches never differ in more bits than the Indel
distance of their texts. Of real questions with some 60 letters, one pair in 200 is left to compare;
the sketches of texts with more than a few hundred letters are too similar to exclude any pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FlipBits = Callable[[Array, Array, Array], None]

BITS = 1024
COMMON_LETTERS = 43  # the commonest letters, which have own bits up to their 11th occurrence
CHUNK = 5_000  # texts sketched at once, which bounds the memory


class Letters:
    """Texts as one array of letters, with their sketches.

    Attributes:
        sizes: The number of letters of each text.
        letters: The letters of all texts, each as its rank by frequency.
        starts: The index of each text's first letter, and behind them the number of letters.
        sketches: (texts, BITS / 64) words of 64 bits.
        folds: (texts, 2) words: the sketches folded into 128 bits by xor. Their bound is weaker,
            but eight times as many of them fit into the processor's cache.
    """

    def __init__(self, sizes: Array, letters: Array, flip: FlipBits) -> None:
        self.sizes, self.letters = sizes, letters
        self.starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        self.sketches = np.zeros((len(sizes), BITS // 64), np.uint64)
        for first in range(0, len(sizes), CHUNK):
            last = min(first + CHUNK, len(sizes))
            chunk = letters[self.starts[first] : self.starts[last]]
            flip(self.sketches[first:last], sizes[first:last], chunk)
        self.folds = np.bitwise_xor.reduce(self.sketches.reshape(-1, BITS // 128, 2), axis=1)


def flip_bits(sketches: Array, sizes: Array, letters: Array) -> None:
    """Flip the bits of each text's letters in its sketch."""
    owners = np.repeat(np.arange(len(sizes)), sizes)
    # Number the occurrences of each letter in each text: in sorted order they are neighbours.
    keys = owners * (int(letters.max(initial=0)) + 1) + letters
    order = np.argsort(keys, kind="stable")
    ordered, positions = keys[order], np.arange(len(keys))
    is_first = np.concatenate([np.ones(min(1, len(keys)), bool), ordered[1:] != ordered[:-1]])
    occurrences = np.empty(len(keys), np.int64)
    occurrences[order] = positions - np.maximum.accumulate(np.where(is_first, positions, 0))
    bits = (letters + COMMON_LETTERS * occurrences) % BITS
    flips = np.left_shift(np.uint64(1), (bits & 63).astype(np.uint64))
    np.bitwise_xor.at(sketches, (owners, bits >> 6), flips)


def encode_both(
    left: Sequence[str], right: Sequence[str], flip: FlipBits = flip_bits
) -> tuple[Letters, Letters]:
    """Return the letters of two lists of texts, ranked together; if both are one list, twice it."""
    sides = [left] if left is right else [left, right]
    # A Python text may hold half a surrogate pair.
    joined = ("".join(side).encode("utf-32-le", "surrogatepass") for side in sides)
    points = [np.frombuffer(data, np.uint32) for data in joined]
    # The rank of each code point, the commonest first.
    size = max(int(side_points.max(initial=0)) for side_points in points) + 1
    counts = np.asarray(sum(np.bincount(side_points, minlength=size) for side_points in points))
    present = np.flatnonzero(counts)
    by_count = present[np.argsort(-counts[present], kind="stable")]
    ranks = np.zeros(size, np.int32)
    ranks[by_count] = np.arange(len(present), dtype=np.int32)
    encoded = [
        Letters(np.fromiter(map(len, side), np.int64, len(side)), ranks[side_points], flip)
        for side, side_points in zip(sides, points, strict=True)
    ]
    return encoded[0], encoded[-1]


def candidates(
    queries: Letters, block: Array, targets: Letters, target_indices: Array, cutoff: float
) -> tuple[Array, Array]:
    """Return (indices in the block, targets) of every pair that the sketches do not exclude."""
    window = targets.folds[target_indices]
    bits = sum(np.bitwise_count(queries.folds[block, None, k] ^ window[:, k]) for k in (0, 1))
    # The cutoff allows a distance of (1 - cutoff) x total; 1e-6 is added for rounding.
    totals = queries.sizes[block, None] + targets.sizes[target_indices]
    rows, columns = np.nonzero(bits <= (1 - cutoff) * totals + 1e-6)
    matches = target_indices[columns]
    differing_bits = queries.sketches[block[rows]] ^ targets.sketches[matches]
    differences = np.bitwise_count(differing_bits).sum(axis=1)
    within_reach = differences <= (1 - cutoff) * totals[rows, columns] + 1e-6
    return rows[within_reach], matches[within_reach]
