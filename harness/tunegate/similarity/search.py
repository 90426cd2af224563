"""Finds every pair of texts whose similarity reaches a cutoff; exact up to 192 letters.

Similarity is the normalised Indel similarity, rapidfuzz's `fuzz.ratio` / 100: 1 - distance / (sum
of both lengths), where the distance is the number of letters to insert and delete. Case counts:
lower-case the texts first if it should not. Texts of more than 192 letters are compared if they
share n-grams, and those of more than 2,000 word by word: see `long_texts`.

A similarity bounds how much two lengths may differ, so each text is compared only with those in a
window of lengths. Small searches run in rapidfuzz, large ones in a compiled kernel if numba is
installed (`pip install 'tunegate[fast]'`); both find the same pairs.
Each takes `fast` to force one of the two; a cutoff outside 0 < cutoff <= 1 is a ValueError.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from ..utils.processes import worker_count
from .long_texts import LongTextSearch, ratio, short_texts
from .windows import Array, FindNear, Search, TextsByLength

__all__ = ["connected_groups", "cross_pairs", "deduplicate", "nearest", "pairs", "ratio"]

BLOCK = 32  # queries at once; memory: BLOCK x COLUMNS x 8 bytes, a few times
GROUP_SIZE = 4  # queries of one group from which on the targets of the group are left out
COLUMNS = 20_000  # targets at once
KERNEL_MIN_SECONDS = 1.0  # importing numba and the kernel takes 0.6 s, the first compilation 3 s
LOADED_KERNEL_MIN_SECONDS = 0.05

Condition = Callable[[int, int], bool] | None  # on the indices of two texts


class Pair(NamedTuple):
    """Two texts, by their indices in the list or lists searched; similarity 0..1."""

    i: int
    j: int
    similarity: float


class Closest(NamedTuple):
    """Text j on the right is the closest to text i on the left; `other_count` more are near."""

    i: int
    j: int
    similarity: float
    other_count: int


def pairs(texts: Sequence[str], cutoff: float, *, fast: bool | None = None) -> Iterator[Pair]:
    """Yield each pair i < j whose similarity is at least the cutoff.

    n equal texts make n(n-1)/2 pairs; `connected_groups` and `deduplicate` need n steps for them.
    """
    side = TextsByLength(texts)
    for equal_texts in side.positions:
        yield from (Pair(i, j, 1.0) for i, j in combinations(equal_texts, 2))
    find_near = make_finder(side, side, cutoff, fast)
    for a, positions in enumerate(side.positions):
        for b, similarity in zip(*find_near(a, side.indices, a), strict=True):
            for i in positions:
                for j in side.positions[b]:
                    yield Pair(min(i, j), max(i, j), float(similarity))


def cross_pairs(
    left: Sequence[str], right: Sequence[str], cutoff: float, *, fast: bool | None = None
) -> Iterator[Pair]:
    """Yield each pair of a text on the left and one on the right that reaches the cutoff."""
    for positions, others, similarities in _matches_across(left, right, cutoff, fast):
        for same, similarity in zip(others, similarities, strict=True):
            yield from (Pair(i, j, float(similarity)) for i in positions for j in same)


def nearest(
    left: Sequence[str], right: Sequence[str], cutoff: float, *,
    condition: Condition = None, fast: bool | None = None,
) -> Iterator[Closest]:  # fmt: skip
    """Yield, for each text on the left that has one, its closest on the right; ties: the first.

    Two texts are near if they reach the cutoff, and `condition(i, j)` is true if it is given.
    """
    for positions, others, similarities in _matches_across(left, right, cutoff, fast):
        near = [*zip(map(float, similarities), others, strict=True)]
        if condition:
            near = [(s, same) for s, same in near if condition(positions[0], same[0])]
        if near:
            best = max(s for s, _ in near)
            first = min(same[0] for s, same in near if s == best)
            count = sum(len(same) for _, same in near) - 1
            yield from (Closest(i, first, best, count) for i in positions)


def _matches_across(
    left: Sequence[str], right: Sequence[str], cutoff: float, fast: bool | None
) -> Iterator[tuple[list[int], list[list[int]], Array]]:
    """Yield (indices of a text on the left, those of each near text on the right, similarities)."""
    queries, targets = TextsByLength(left), TextsByLength(right)
    find_near = make_finder(queries, targets, cutoff, fast)
    for a, positions in enumerate(queries.positions):
        matches, similarities = find_near(a, targets.indices, -1)
        if len(matches):
            yield positions, [targets.positions[b] for b in matches], similarities


def deduplicate(
    texts: Sequence[str], cutoff: float, *, condition: Condition = None, fast: bool | None = None
) -> Iterator[Pair]:
    """Yield (kept, redundant, similarity) for each text that another one makes redundant.

    Texts are visited from the longest to the shortest (ties: in their order). A text is kept unless
    a text kept before reaches the cutoff with it, and `condition(kept, redundant)` is true if it is
    given. So no two kept texts are near-duplicates, and every redundant text is near to the one
    kept for it. Connected components would reduce a chain of small changes to one text instead.
    """
    side = TextsByLength(texts)
    find_near = make_finder(side, side, cutoff, fast)
    labels = side.indices.copy()  # -1 for a redundant text
    for a, (first, *duplicates) in enumerate(side.positions):
        if labels[a] < 0:
            continue
        yield from (Pair(first, i, 1.0) for i in duplicates)
        for b, similarity in zip(*find_near(a, labels, a), strict=True):
            if condition is None or condition(first, side.positions[b][0]):
                labels[b] = -1
                yield from (Pair(first, j, float(similarity)) for j in side.positions[b])


def connected_groups(
    texts: Sequence[str], cutoff: float, *, fast: bool | None = None
) -> list[list[int]]:
    """Return the connected components of near-duplicates of two texts or more, as sorted indices.

    Texts of one are not compared again: n variants of one template take about n comparisons.
    """
    side = TextsByLength(texts)
    find_near = make_finder(side, side, cutoff, fast)
    labels = side.indices.copy()  # the component of each distinct text
    members = [[a] for a in side.indices.tolist()]
    for a in range(len(members)):
        for b in find_near(a, labels, int(labels[a]))[0]:
            big, small = int(labels[a]), int(labels[b])
            if big == small:
                continue
            if len(members[big]) < len(members[small]):
                big, small = small, big
            labels[members[small]] = big
            members[big] += members[small]
            members[small] = []
    indices = (sorted(i for a in group for i in side.positions[a]) for group in members)
    return sorted(group for group in indices if len(group) > 1)


def make_finder(
    queries: TextsByLength, targets: TextsByLength, cutoff: float, fast: bool | None
) -> FindNear:
    """Return the fastest engine's function that finds the targets near to a query."""
    if not 0 < cutoff <= 1:
        raise ValueError(f"the similarity is {cutoff}; it must be above 0 and at most 1")
    search = Search(queries, targets, cutoff)
    if short := short_texts(search):
        long = LongTextSearch(search, _make_finder(short, fast))
        if _choose_kernel(long.estimated_seconds, fast):
            from .numba_kernel import screen

            long.compiled_screen = screen
        return long.find_near
    return _make_finder(search, fast)


def _make_finder(search: Search, fast: bool | None) -> FindNear:
    if _choose_kernel(search.estimated_seconds, fast):
        from .numba_kernel import CompiledSearch

        return CompiledSearch(search).find_near
    return NumpySearch(search).find_near


def _choose_kernel(seconds_without: float, fast: bool | None) -> bool:
    """Tell whether to use compiled code, if `fast` does not say: where it saves its own start."""
    is_loaded = f"{__package__}.numba_kernel" in sys.modules
    min_seconds = LOADED_KERNEL_MIN_SECONDS if is_loaded else KERNEL_MIN_SECONDS
    return (seconds_without > min_seconds and _numba_installed()) if fast is None else fast


def _numba_installed() -> bool:
    try:
        import numba  # noqa: F401
    except ImportError:  # not installed, or it cannot work with this numpy
        return False
    return True


class NumpySearch:
    """The search in numpy and rapidfuzz, a block of queries at a time."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.rows: dict[int, tuple[Array, Array]] = {}

    def find_near(self, i: int, labels: Array, skip: int) -> tuple[Array, Array]:
        """Find the targets near to query `i`: see `windows.FindNear`."""
        if i not in self.rows:
            ahead = {k: row for k, row in self.rows.items() if k > i}
            self.rows = ahead | self._search_block(i, labels, skip)
        matches, similarities = self.rows.pop(i)
        remaining = (labels[matches] != skip) & (labels[matches] >= 0)
        return matches[remaining], similarities[remaining]

    def _search_block(self, i: int, labels: Array, skip: int) -> dict[int, tuple[Array, Array]]:
        """Return the near targets of some queries from `i` on, by query."""
        import numpy as np

        block = np.arange(i, min(i + 4 * BLOCK, len(self.search.lo)))
        excluded_label = -1
        if self.search.is_within_one_list:
            same_group = block[labels[block] == skip]
            # A text with a negative label is not queried any more. If many queries of one group
            # follow, the targets already in the group need not be compared again.
            excluded_label = skip if len(same_group) >= GROUP_SIZE else -1
            block = same_group if excluded_label >= 0 else block[labels[block] >= 0]
        block = block[:BLOCK]
        targets = np.arange(self.search.lo[block].min(), self.search.hi[block].max())
        targets = targets[(labels[targets] >= 0) & (labels[targets] != excluded_label)]
        chunks = [targets[k : k + COLUMNS] for k in range(0, max(len(targets), 1), COLUMNS)]
        parts = zip(*(self._compare(block, chunk) for chunk in chunks), strict=True)
        rows, matches, similarities = map(np.concatenate, parts)
        order = np.argsort(rows, kind="stable")
        cuts = np.searchsorted(rows[order], np.arange(1, len(block)))
        columns = (np.split(column[order], cuts) for column in (matches, similarities))
        return dict(zip(map(int, block), zip(*columns, strict=True), strict=True))

    def _compare(self, block: Array, targets: Array) -> tuple[Array, Array, Array]:
        """Return (index in the block, target, similarity) of each pair that reaches the cutoff."""
        import numpy as np
        from rapidfuzz.distance import Indel
        from rapidfuzz.process import cdist

        queries = [self.search.queries.texts[i] for i in block]
        others = [self.search.targets.texts[j] for j in targets]
        # With the cutoff itself, rapidfuzz 3.14 returns 0 for some pairs that reach it exactly.
        table: Array = cdist(
            queries, others, scorer=Indel.normalized_similarity, dtype=np.float64,
            score_cutoff=self.search.cutoff - 1e-6, workers=worker_count(),
        )  # fmt: skip
        rows, columns = np.nonzero(table)
        matches, similarities = targets[columns], table[rows, columns]
        near = (similarities >= self.search.cutoff) & (matches >= self.search.lo[block][rows])
        return rows[near], matches[near], similarities[near]
