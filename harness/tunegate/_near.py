"""What the near-duplicate search stands on: texts by length, windows, and the choice of engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]

    # Query i, the targets' labels, the label to leave out -> the near targets, their similarities.
    # A target whose label is negative is left out for every query.
    Near = Callable[[int, Array, int], tuple[Array, Array]]

BLOCK = 32  # queries that rapidfuzz compares at once; memory: BLOCK x COLUMNS x 8 bytes
COLUMNS = 100_000  # targets at once
KERNEL_PAYS = 2.0  # seconds of estimated work in rapidfuzz; importing numba takes 0.4
KERNEL_MEMORY = (
    1 << 28
)  # bytes for one query's masks: a text of a million Chinese letters needs more


@dataclass(frozen=True, eq=False)
class Side:
    """Distinct texts, the longest first, and the places each had in the list they came from."""

    texts: list[str]
    places: list[list[int]]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Side:
        places: dict[str, list[int]] = {}
        for i, text in enumerate(texts):
            places.setdefault(text, []).append(i)
        distinct = sorted(places, key=len, reverse=True)
        return cls(distinct, [places[text] for text in distinct])

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def sizes(self) -> Array:
        import numpy as np

        return np.fromiter(map(len, self.texts), np.int64, len(self))

    @cached_property
    def numbers(self) -> Array:
        import numpy as np

        return np.arange(len(self))


@dataclass(frozen=True, eq=False)
class Search:
    """Queries, targets, and for each query the window of targets whose length allows a match."""

    queries: Side
    targets: Side
    cutoff: float

    @property
    def within(self) -> bool:
        return self.queries is self.targets

    @cached_property
    def windows(self) -> tuple[Array, Array]:
        """The distance is at least the difference in length: size >= c / (2 - c) x the other."""
        import numpy as np

        shrink = self.cutoff / (2 - self.cutoff)
        sizes, slack = self.queries.sizes, 1e-6
        longest_first = -self.targets.sizes
        lo = np.searchsorted(longest_first, -(sizes / shrink + slack), "left")
        hi = np.searchsorted(longest_first, -(sizes * shrink - slack), "right")
        return (self.queries.numbers + 1 if self.within else lo), hi

    @property
    def seconds(self) -> float:
        """About what rapidfuzz takes: 35 ns a pair, more where a text has more than 64 letters."""
        lo, hi = self.windows
        words = self.queries.sizes / 64
        return float(((hi - lo).clip(0) * (35e-9 + 25e-9 * words * words)).sum())

    @property
    def fits(self) -> bool:
        longest = int(self.queries.sizes.max(initial=0))
        letters = max(map(len, map(set, self.queries.texts[:100])), default=0) + 1
        return letters * (longest // 64 + 2) * 8 < KERNEL_MEMORY


def finder(queries: Side, targets: Side, cutoff: float, fast: bool | None) -> Near:
    """Return the function that finds the targets near to a query, by the engine that pays."""
    if not 0 < cutoff <= 1:
        raise ValueError(f"the similarity is {cutoff}; it must be above 0 and at most 1")
    search = Search(queries, targets, cutoff)
    if fast is None:
        fast = search.seconds > KERNEL_PAYS and search.fits and _installed()
    if fast:
        from ._kernel import Compiled

        return Compiled(search).near
    return Plain(search).near


def _installed() -> bool:
    try:
        import numba  # noqa: F401
    except ImportError:  # not installed, or it cannot work with this numpy
        return False
    return True


class Plain:
    """The search in rapidfuzz alone, a block of queries at a time."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.lo, self.hi = search.windows
        self.rows: dict[int, tuple[Array, Array]] = {}

    def near(self, i: int, labels: Array, skip: int) -> tuple[Array, Array]:
        if i not in self.rows:
            self.rows = self._block(i, labels)
        found, similarities = self.rows.pop(i)
        left = (labels[found] != skip) & (labels[found] >= 0)
        return found[left], similarities[left]

    def _block(self, i: int, labels: Array) -> dict[int, tuple[Array, Array]]:
        import numpy as np

        ahead = np.arange(i, min(i + 4 * BLOCK, len(self.lo)))
        if self.search.within:  # a text that another one has claimed will not be asked for
            ahead = ahead[labels[ahead] >= 0]
        block = ahead[:BLOCK]
        lo, hi = self.lo[block].min(), self.hi[block].max()
        targets = np.arange(lo, max(lo, hi))
        targets = targets[labels[targets] >= 0]
        parts = [
            self._compare(block, targets[k : k + COLUMNS])
            for k in range(0, max(len(targets), 1), COLUMNS)
        ]
        rows, found, similarities = (np.concatenate(column) for column in zip(*parts, strict=True))
        found, similarities = (
            found[np.argsort(rows, kind="stable")],
            similarities[np.argsort(rows, kind="stable")],
        )
        cuts = np.searchsorted(np.sort(rows), np.arange(1, len(block)))
        per_row = zip(np.split(found, cuts), np.split(similarities, cuts), strict=True)
        return dict(zip(map(int, block), per_row, strict=True))

    def _compare(self, block: Array, targets: Array) -> tuple[Array, Array, Array]:
        import numpy as np
        from rapidfuzz.distance import Indel
        from rapidfuzz.process import cdist

        queries, choices = self.search.queries.texts, self.search.targets.texts
        table: npt.NDArray[np.float64] = cdist(
            [queries[i] for i in block],
            [choices[j] for j in targets],
            scorer=Indel.normalized_similarity,
            # rapidfuzz 3.14 gives 0 for some pairs that stand at its cutoff to the last bit.
            score_cutoff=self.search.cutoff - 1e-6,
            dtype=np.float64,
        )
        rows, columns = np.nonzero(table >= self.search.cutoff)
        found = targets[columns]
        inside = found >= self.lo[block][rows]
        return rows[inside], found[inside], table[rows, columns][inside]
