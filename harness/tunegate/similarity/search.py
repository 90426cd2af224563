"""Finds every pair of texts whose similarity reaches a cutoff; exact up to 192 letters.

Similarity is the normalised Indel similarity, rapidfuzz's `fuzz.ratio` / 100: 1 - distance / (sum
of both lengths), where the distance is the number of letters to insert and delete. Case counts:
lower-case the texts first if it should not. Texts of more than 192 letters are compared if they
share n-grams, and those of more than 2,000 word by word: see `long_texts`.

A similarity bounds how much two lengths may differ, so each text is compared only with those in a
window of lengths. Small searches run in rapidfuzz, large ones in a compiled kernel if numba is
installed (`pip install 'tunegate[fast]'`); both find the same pairs.
Every function takes `fast` to force one of the two, and raises ValueError for a cutoff outside
0 < cutoff <= 1.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from .engine import make_finder
from .long_texts import ratio
from .windows import Array, TextsByLength

__all__ = ["connected_groups", "cross_pairs", "deduplicate", "nearest", "pairs", "ratio"]


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
        if len(equal_texts) > 1:
            yield from (Pair(i, j, 1.0) for i, j in combinations(equal_texts, 2))
    find_near = make_finder(side, side, cutoff, fast)
    for a, positions in enumerate(side.positions):
        matches, similarities = find_near(a, side.indices, a)
        if not len(matches):
            continue
        for b, similarity in zip(matches, similarities, strict=True):
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
    left: Sequence[str],
    right: Sequence[str],
    cutoff: float,
    *,
    condition: Callable[[int, int], bool] | None = None,
    fast: bool | None = None,
) -> Iterator[Closest]:
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
    texts: Sequence[str],
    cutoff: float,
    *,
    condition: Callable[[int, int], bool] | None = None,
    fast: bool | None = None,
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

    Texts of one component are not compared with each other again, so that ten thousand variants of
    one template take about ten thousand comparisons.
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
