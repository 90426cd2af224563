"""The near-duplicate search, compiled: import it only where numba is installed and pays.

What the sketches leave over goes through the bit-parallel longest common subsequence of H. Hyyrö
(2004), *Bit-parallel LCS-length computation revisited*, in the band that the distance allows, and
is given up once the distance is out of reach. Both are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from ._sketches import BITS

if TYPE_CHECKING:
    from ._near import Search

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    try:
        return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # nowhere to keep the compiled code: a read-only installation and home
        return cast(F, numba.njit(nogil=True, error_model="numpy")(function))


@_compiled
def _farthest(total: int, cutoff: float) -> int:
    """Return the largest distance at which rapidfuzz's own arithmetic still reaches the cutoff."""
    distance = int((1.0 - cutoff) * total) + 1
    while distance > 0 and 1.0 - distance / total < cutoff:
        distance -= 1
    return distance if total else 0


@_compiled
def _ones(word: Any) -> int:
    # LLVM knows this pattern, and makes one instruction of it.
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    low = word & np.uint64(0x3333333333333333)
    word = low + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)  # type: ignore[no-any-return]


@_compiled
def _apart(left: Array, right: Array) -> int:
    """Return in how many bits two sketches differ: never more than the Indel distance."""
    total = np.uint64(0)
    for w in range(BITS // 64):
        total += _ones(left[w] ^ right[w])
    return np.int64(total)  # type: ignore[return-value]


@_compiled
def _learn(text: Array, slots: Array, masks: Array) -> int:
    """Write where each letter of the pattern stands into `masks`; return how many letters."""
    used = 0
    for k in range(text.size):
        if slots[text[k]] == 0:
            used += 1
            slots[text[k]] = used
        masks[slots[text[k]], k >> 6] |= np.uint64(1) << np.uint64(k & 63)
    return used


@_compiled
def _forget(text: Array, slots: Array, masks: Array) -> None:
    words = (text.size + 63) >> 6
    for k in range(text.size):
        masks[slots[text[k]], :words] = 0
    for k in range(text.size):
        slots[text[k]] = 0


@_compiled
def _common(state: Array, words: int) -> int:
    total = 0
    for w in range(words):
        total += _ones(~state[w])
    return total


@_compiled
def _distance(m: int, other: Array, slots: Array, masks: Array, state: Array, limit: int) -> int:
    """Return the Indel distance of the learnt pattern (m letters) and `other`, or limit + 1."""
    n, words = other.size, (m + 63) >> 6
    need = (m + n - limit + 1) // 2  # letters that must be common
    ahead, behind = m - need, n - need  # how far the two may drift apart
    state[:words] = ~np.uint64(0)
    for j in range(n):
        first, last = max(0, j - behind) >> 6, min(words, ((j + ahead) >> 6) + 1)
        row, carry = slots[other[j]], np.uint64(0)
        for w in range(first, last):
            old = state[w]
            match = old & masks[row, w]
            new = old + match
            over = new < old
            new += carry
            carry = np.uint64(over | (new < carry))
            state[w] = new | (old - match)
        if j & 15 == 15 and _common(state, words) + n - 1 - j < need:
            return limit + 1
    return min(limit + 1, m + n - 2 * _common(state, words))


@_compiled
def _scan(
    text: Array, fold: Array, sketch: Array,
    letters: Array, starts: Array, folds: Array, sketches: Array,
    lo: int, hi: int, labels: Array, skip: int, cutoff: float,
    slots: Array, masks: Array, state: Array, found: Array, distances: Array,
) -> int:  # fmt: skip
    """Write the texts lo..hi near to `text` into `found` and `distances`; return how many."""
    count, learnt, size, limit = 0, False, -1, 0
    for j in range(lo, hi):
        if starts[j + 1] - starts[j] != size:
            size = starts[j + 1] - starts[j]
            limit = _farthest(text.size + size, cutoff)
        if labels[j] == skip or labels[j] < 0:
            continue
        if _ones(fold[0] ^ folds[j, 0]) + _ones(fold[1] ^ folds[j, 1]) > limit:
            continue
        if _apart(sketch, sketches[j]) > limit:
            continue
        if not learnt:
            _learn(text, slots, masks)
            learnt = True
        other = letters[starts[j] : starts[j + 1]]
        distance = _distance(text.size, other, slots, masks, state, limit)
        if distance <= limit:
            found[count], distances[count] = j, distance
            count += 1
    if learnt:
        _forget(text, slots, masks)
    return count


class Compiled:
    """Finds the targets near to a query; see `Near` in `_near`."""

    def __init__(self, search: Search) -> None:
        self.queries, self.targets = search.letters
        self.lo, self.hi = search.windows
        self.cutoff = search.cutoff
        self._make_room()

    def _make_room(self) -> None:
        one, other = self.queries, self.targets
        letters = max(int(side.letters.max(initial=0)) for side in (one, other)) + 1
        words = one.longest // 64 + 1
        self.slots = np.zeros(letters, np.int32)
        self.masks = np.zeros((min(letters, one.longest) + 1, words), np.uint64)
        self.state = np.zeros(words, np.uint64)
        self.found = np.zeros(len(other.sizes), np.int64)
        self.distances = np.zeros(len(other.sizes), np.int64)

    def near(self, i: int, labels: Array, skip: int) -> tuple[Array, Array]:
        one, other = self.queries, self.targets
        text = one.letters[one.starts[i] : one.starts[i + 1]]
        count = _scan(
            text, one.folds[i], one.sketches[i],
            other.letters, other.starts, other.folds, other.sketches,
            self.lo[i], self.hi[i], labels, skip, self.cutoff,
            self.slots, self.masks, self.state, self.found, self.distances,
        )  # fmt: skip
        found = self.found[:count].copy()
        totals = np.maximum(text.size + other.sizes[found], 1)
        return found, 1.0 - self.distances[:count] / totals
