"""Exact near-duplicate search: every pair of texts at or above a similarity, none guessed.

Similarity is the normalised Indel similarity, rapidfuzz's `fuzz.ratio` / 100: 1 - distance /
(length + length), the distance counting the letters to insert and delete. Texts are compared as
they are: lower-case them first where case should not count.

A similarity bounds how much two lengths may differ, so texts sorted by length meet only those in
a window. Small searches run in rapidfuzz, large ones in a compiled kernel where numba is installed
(`pip install 'tunegate[fast]'`), the largest there on all cores; both find the same pairs. Every
function takes `fast` to force one of the two, and raises ValueError for a cutoff outside
0 < cutoff <= 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .engine import make_finder
from .windows import TextsByLength

if TYPE_CHECKING:
    from .windows import Array


class Pair(NamedTuple):
    """Two texts, by their places in the list (or lists) searched; similarity 0..1."""

    i: int
    j: int
    similarity: float


class Closest(NamedTuple):
    """Of the texts on the right the closest to text i on the left; `others` are near as well."""

    i: int
    j: int
    similarity: float
    other_count: int


def ratio(left: str, right: str) -> float:
    """Return the similarity of two texts."""
    from rapidfuzz.distance import Indel

    return Indel.normalized_similarity(left, right)


def pairs(texts: Sequence[str], cutoff: float, *, fast: bool | None = None) -> Iterator[Pair]:
    """Yield each pair i < j whose similarity is at least the cutoff.

    Among n equal texts there are n(n-1)/2 pairs; `connected_groups` and `deduplicate` stay linear there.
    """
    side = TextsByLength.from_texts(texts)
    for equal_texts in side.positions:
        yield from (
            Pair(i, j, 1.0) for k, i in enumerate(equal_texts) for j in equal_texts[k + 1 :]
        )
    near = make_finder(side, side, cutoff, fast)
    labels = side.indices
    for a in range(len(side)):
        for b, similarity in zip(*near(a, labels, a), strict=True):
            for i in side.positions[a]:
                for j in side.positions[b]:
                    yield Pair(min(i, j), max(i, j), float(similarity))


def cross_pairs(
    left: Sequence[str], right: Sequence[str], cutoff: float, *, fast: bool | None = None
) -> Iterator[Pair]:
    """Yield each pair of a text on the left and one on the right that reaches the cutoff."""
    for positions, others, similarities in _matches_across(
        TextsByLength.from_texts(left), TextsByLength.from_texts(right), cutoff, fast
    ):
        for same, similarity in zip(others, similarities, strict=True):
            yield from (Pair(i, j, float(similarity)) for i in positions for j in same)


def nearest(
    left: Sequence[str], right: Sequence[str], cutoff: float, *, fast: bool | None = None
) -> Iterator[Closest]:
    """Yield, for each text on the left that has one, its closest on the right; ties: the first."""
    for positions, others, similarities in _matches_across(
        TextsByLength.from_texts(left), TextsByLength.from_texts(right), cutoff, fast
    ):
        best = max(float(s) for s in similarities)
        first = min(same[0] for same, s in zip(others, similarities, strict=True) if s == best)
        count = sum(map(len, others)) - 1
        yield from (Closest(i, first, best, count) for i in positions)


def _matches_across(
    left: TextsByLength, right: TextsByLength, cutoff: float, fast: bool | None
) -> Iterator[tuple[list[int], list[list[int]], Array]]:
    near = make_finder(left, right, cutoff, fast)
    for a in range(len(left)):
        matches, similarities = near(a, right.indices, -1)
        if len(matches):
            yield left.positions[a], [right.positions[b] for b in matches], similarities


def deduplicate(
    texts: Sequence[str],
    cutoff: float,
    *,
    condition: Callable[[int, int], bool] | None = None,
    fast: bool | None = None,
) -> Iterator[Pair]:
    """Yield (kept, redundant, similarity) for each text that another one makes redundant.

    Texts are visited from the longest to the shortest (ties: in their order); each is kept unless
    one kept before reaches the cutoff with it, and `also(kept, redundant)` holds where it is given.
    So no two kept texts are near-duplicates, and every redundant one is near to the one kept for
    it: a chain of small changes is not collapsed into one text, as connected components would.
    """
    side = TextsByLength.from_texts(texts)
    near = make_finder(side, side, cutoff, fast)
    labels = side.indices.copy()
    for a in range(len(side)):
        if labels[a] < 0:
            continue
        first, *duplicates = side.positions[a]
        yield from (Pair(first, i, 1.0) for i in duplicates)
        for b, similarity in zip(*near(a, labels, a), strict=True):
            if condition is None or condition(first, side.positions[b][0]):
                labels[b] = -1
                yield from (Pair(first, j, float(similarity)) for j in side.positions[b])


def connected_groups(
    texts: Sequence[str], cutoff: float, *, fast: bool | None = None
) -> list[list[int]]:
    """Return the connected components of near-duplicates with two texts or more, as sorted places.

    Texts already known to be in one component are not compared again, so that ten thousand
    variants of one template cost little more than their number.
    """
    side = TextsByLength.from_texts(texts)
    near = make_finder(side, side, cutoff, fast)
    labels = side.indices.copy()
    members = [[a] for a in range(len(side))]
    for a in range(len(side)):
        for b in near(a, labels, int(labels[a]))[0]:
            _merge_groups(members, labels, int(labels[a]), int(labels[b]))
    positions = (sorted(i for a in group for i in side.positions[a]) for group in members)
    return sorted(group for group in positions if len(group) > 1)


def _merge_groups(members: list[list[int]], labels: Array, first: int, second: int) -> None:
    if first == second:
        return
    big, small = (first, second) if len(members[first]) >= len(members[second]) else (second, first)
    labels[members[small]] = big
    members[big] += members[small]
    members[small] = []
