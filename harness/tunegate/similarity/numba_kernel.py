"""The near-duplicate search, compiled by numba; importing this module imports numba.

A text's sketch is a set of bits with one flipped for each (letter, number of the same letter before
it). An insertion or a deletion flips one bit, so two sketches never differ in more bits than the
Indel distance of their texts. A short sketch is held against each pair, a longer one against what
that leaves: one pair in 200 of real questions of 60 letters, one in 40 of tickets of 140.

Pairs that the sketches do not exclude are compared by the bit-parallel longest common subsequence
of H. Hyyrö (2004), *Bit-parallel LCS-length computation revisited*, until the distance is out of
reach. The result is exact. Texts have at most MAX_LETTERS letters: three words of 64 bits.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numba
import numpy as np

from .windows import SCREEN_LETTERS as MAX_LETTERS
from .windows import Array, Search

SHORT, LONG = 256, 512  # bits of a sketch
# The commonest letters, whose first 11 or 16 occurrences have bits of their own. Chosen by how many
# pairs are left of the tickets and of banking77, at a cutoff of 0.85.
COMMON_SHORT, COMMON_LONG = 23, 31
BLOCK = 128  # queries at once: a call from Python takes as long as hundreds of comparisons
WINDOW = 256  # targets at once, so that their bits stay in the processor's first-level cache
MATCHES = 1 << 18  # pairs at once, or as many as there are targets
NOTHING: tuple[Array, Array] = (np.zeros(0, np.int64), np.zeros(0))
F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    """Compile a function with numba, and keep the machine code on disk if possible."""
    try:
        return cast(F, numba.njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # no writable folder for the code: installation and home are read-only
        return cast(F, numba.njit(error_model="numpy")(function))


@_compiled
def _max_distance(total: int, cutoff: float) -> int:
    """Return the largest distance at which rapidfuzz's own arithmetic still reaches the cutoff."""
    distance = int((1.0 - cutoff) * total) + 1
    while distance > 0 and 1.0 - distance / total < cutoff:
        distance -= 1
    return distance if total else 0


@_compiled
def _popcount(bits: Any) -> int:
    # LLVM compiles this pattern to one instruction.
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    low = bits & np.uint64(0x3333333333333333)
    bits = low + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (bits * np.uint64(0x0101010101010101)) >> np.uint64(56)  # type: ignore[no-any-return]


@_compiled
def flip(sketches: Array, common: int, sizes: Array, letters: Array) -> None:
    """Flip the bits of each text's letters in its sketch, a row; `common`: see COMMON_SHORT."""
    times = np.zeros(letters.max() + 1 if letters.size else 1, np.int64)
    start = 0
    for i in range(sizes.size):
        end = start + sizes[i]
        for letter in letters[start:end]:
            bit = (letter + common * times[letter]) % (64 * sketches.shape[1])
            sketches[i, bit >> 6] ^= np.uint64(1) << np.uint64(bit & 63)
            times[letter] += 1
        for letter in letters[start:end]:
            times[letter] = 0
        start = end


@_compiled
def _load_pattern(text: Array, slots: Array, masks: Array) -> None:
    """Set a bit for each place of a letter in its row of `masks`, from 1, which `slots` names."""
    used = 0
    for k in range(text.size):
        if slots[text[k]] == 0:
            used += 1
            slots[text[k]] = used
        masks[slots[text[k]], k >> 6] |= np.uint64(1) << np.uint64(k & 63)


@_compiled
def _to_int64(count: Any) -> int:
    # The sum of an int64 and a uint64 is a float in numba.
    return np.int64(count)  # type: ignore[return-value]


@_compiled
def _distance(m: int, other: Array, slots: Array, masks: Array, limit: int) -> int:
    """Return the Indel distance of the loaded pattern (m letters) to `other`, or limit + 1."""
    n, low, mid, high = other.size, ~np.uint64(0), ~np.uint64(0), ~np.uint64(0)
    need = (m + n - limit + 1) // 2  # letters that must be common: zero bits of the three words
    for begin in range(0, n, 8):
        for j in range(begin, min(begin + 8, n)):
            row = slots[other[j]]
            match, between, above = low & masks[row, 0], mid & masks[row, 1], high & masks[row, 2]
            new = low + match
            carry = np.uint64(new < low)
            low = new | (low - match)
            new = mid + between
            over = np.uint64(new < mid)
            new += carry
            high = (high + above + (over | np.uint64(new < carry))) | (high - above)
            mid = new | (mid - between)
        common = _popcount(~low) + _popcount(~mid) + _popcount(~high)
        if common + n - min(begin + 8, n) < need:
            return limit + 1
    return m + n - 2 * _to_int64(_popcount(~low) + _popcount(~mid) + _popcount(~high))


@_compiled
def _scan_block(
    queries: Array, skips: Array,
    query_letters: Array, query_starts: Array, query_short: Array, query_long: Array,
    letters: Array, starts: Array, short: Array, long: Array,
    lo: Array, hi: Array, labels: Array, cutoff: float,
    slots: Array, masks: Array, bits: Array,
    ends: Array, matches: Array, distances: Array,
) -> int:  # fmt: skip
    """Write the targets near to each query into `matches`, their number so far into `ends`.

    Returns how many queries were done, until `matches` may have no room for those of the next one.
    """
    count = 0
    for q in range(queries.size):
        i = queries[q]
        if count + hi[i] - lo[i] > matches.size:
            return q
        text = query_letters[query_starts[i] : query_starts[i + 1]]
        pattern_loaded = False
        bits_0, bits_1, bits_2, bits_3 = query_short[:, i]
        for first in range(lo[i], hi[i], bits.size):
            n = min(hi[i] - first, bits.size)
            # No branch in this loop, so that it is vectorised. The first target is the longest and
            # allows the largest distance: more bits than it allows exclude any other target.
            for k in range(n):
                j = first + k
                low = _popcount(bits_0 ^ short[0, j]) + _popcount(bits_1 ^ short[1, j])
                high = _popcount(bits_2 ^ short[2, j]) + _popcount(bits_3 ^ short[3, j])
                bits[k] = low + high
            limit = _max_distance(text.size + starts[first + 1] - starts[first], cutoff)
            for k in range(n):
                if bits[k] > limit:
                    continue
                j = first + k
                if labels[j] == skips[q] or labels[j] < 0:
                    continue
                max_distance = _max_distance(text.size + starts[j + 1] - starts[j], cutoff)
                bit_count = np.uint64(0)
                for w in range(LONG // 64):
                    bit_count += _popcount(query_long[i, w] ^ long[j, w])
                if _to_int64(bit_count) > max_distance:
                    continue
                if not pattern_loaded:
                    _load_pattern(text, slots, masks)
                    pattern_loaded = True
                target = letters[starts[j] : starts[j + 1]]
                distance = _distance(text.size, target, slots, masks, max_distance)
                if distance <= max_distance:
                    matches[count], distances[count] = j, distance
                    count += 1
        if pattern_loaded:
            for k in range(text.size):
                masks[slots[text[k]], :] = 0
            for k in range(text.size):
                slots[text[k]] = 0
        ends[q] = count
    return queries.size


@_compiled
def screen(
    first: int, starts: Array, begins: Array, ends: Array, owners: Array, lo: Array, hi: Array,
    sizes: Array, target_sizes: Array, min_share: float,
    common: Array, matches: Array, bounds: Array,
) -> int:  # fmt: skip
    """Write the targets with enough runs in common with each query from `first` on.

    As `LongTextSearch._screen` does; `bounds` gets the counts; returns how many queries fitted.
    """
    count = 0
    for q in range(min(bounds.size, sizes.size - first)):
        i = first + q
        if count + hi[i] - lo[i] > matches.size:
            return q
        for run in range(starts[i], starts[i + 1]):
            for place in range(begins[run], ends[run]):
                common[owners[place]] += 1
        for j in range(lo[i], hi[i]):
            if common[j] >= min_share * min(sizes[i], target_sizes[j]):
                matches[count] = j
                count += 1
            common[j] = 0
        bounds[q] = count
    return min(bounds.size, sizes.size - first)


class Letters:
    """Texts of these `sizes` as one array of letters, each as its rank by frequency."""

    def __init__(self, sizes: Array, letters: Array) -> None:
        self.sizes, self.letters = sizes, letters
        # The index of each text's first letter, and behind them the number of letters.
        self.starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        short, self.long = (np.zeros((len(sizes), k // 64), np.uint64) for k in (SHORT, LONG))
        flip(short, COMMON_SHORT, sizes, letters)
        flip(self.long, COMMON_LONG, sizes, letters)
        self.short = np.ascontiguousarray(short.T)  # all first words, all second ones: read in turn


def encode_both(left: Sequence[str], right: Sequence[str]) -> tuple[Letters, Letters]:
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
    # Two bytes a letter where they do: what a comparison waits for most is its text.
    ranks = np.zeros(size, np.uint16 if len(present) < 1 << 16 else np.uint32)
    ranks[by_count] = np.arange(len(present))
    encoded = [
        Letters(np.fromiter(map(len, side), np.int64, len(side)), ranks[side_points])
        for side, side_points in zip(sides, points, strict=True)
    ]
    return encoded[0], encoded[-1]


class CompiledSearch:
    """The compiled search, a block of queries at a time."""

    def __init__(self, search: Search) -> None:
        self.search = search
        queries, targets = encode_both(search.queries.texts, search.targets.texts)
        self.queries, self.targets = queries, targets
        self.hi = np.maximum(search.lo, search.hi)
        # Of the queries before `end` that have near targets; most have none.
        self.rows: dict[int, tuple[Array, Array]] = {}
        self.end = 0
        # What the compiled code writes to.
        letters = max(int(side.letters.max(initial=0)) for side in (queries, targets)) + 1
        self.slots = np.zeros(letters, np.int32)
        self.masks = np.zeros((min(letters, MAX_LETTERS) + 1, MAX_LETTERS // 64), np.uint64)
        self.bits, self.ends = np.zeros(WINDOW, np.uint16), np.zeros(BLOCK, np.int64)
        self.matches, self.distances = np.zeros((2, max(len(targets.sizes), MATCHES)), np.int64)

    def find_near(self, i: int, labels: Array, skip: int) -> tuple[Array, Array]:
        """Find the targets near to query `i`: see `windows.FindNear`."""
        if i >= self.end:
            self._search_from(i, labels)
        row = self.rows.pop(i, None)
        if row is None:
            return NOTHING
        matches, similarities = row
        remaining = (labels[matches] != skip) & (labels[matches] >= 0)
        return matches[remaining], similarities[remaining]

    def _search_from(self, i: int, labels: Array) -> None:
        """Search some queries from `i` on, as many as there is room for."""
        search, queries, targets = self.search, self.queries, self.targets
        self.end = min(i + BLOCK, len(search.lo))
        block = np.arange(i, self.end)
        if search.is_within_one_list:
            block = block[labels[block] >= 0]  # others are not queried any more
        skips = labels[block] if search.is_within_one_list else np.full(len(block), -1)
        done = _scan_block(
            block, skips,
            queries.letters, queries.starts, queries.short, queries.long,
            targets.letters, targets.starts, targets.short, targets.long,
            search.lo, self.hi, labels, search.cutoff,
            self.slots, self.masks, self.bits, self.ends, self.matches, self.distances,
        )  # fmt: skip
        self.end = int(block[done]) if done < len(block) else self.end
        block, ends = block[:done], self.ends[:done]
        count = int(ends[-1])
        matches, counts = self.matches[:count].copy(), np.diff(ends, prepend=0)
        totals = np.repeat(queries.sizes[block], counts) + targets.sizes[matches]
        similarities = 1.0 - self.distances[:count] / np.maximum(totals, 1)
        near = np.flatnonzero(counts)
        begins = (ends[near] - counts[near]).tolist()
        self.rows = {
            i: (matches[a:b], similarities[a:b])
            for i, a, b in zip(block[near].tolist(), begins, ends[near].tolist(), strict=True)
        }
