"""What the near-duplicate search stands on: texts by length, windows, and the choice of engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._sketches import Letters

    Array = npt.NDArray[Any]

    # Query i, the targets' labels, the label to leave out -> the near targets, their similarities.
    # A target whose label is negative is left out for every query.
    Near = Callable[[int, Array, int], tuple[Array, Array]]

BLOCK = 32  # queries at once; memory: BLOCK x COLUMNS x 8 bytes, a few times
FAMILY = 4  # queries of one group
COLUMNS = 20_000  # targets at once
SKETCHES_PAY = 0.05  # seconds of estimated work: making them takes some
SKETCHES_TELL = 160  # letters, on average: beyond, nearly all pairs are left over
KERNEL_PAYS = 1.0  # seconds; importing numba and the kernel takes 0.6, compiling it once 3
KERNEL_LOADED_PAYS = 0.05
THREADS_PAY = 60.0  # seconds without the kernel: with it, 5
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

    @cached_property
    def letters(self) -> tuple[Letters, Letters]:
        from ._sketches import both

        return both(self.queries.texts, self.targets.texts)

    @cached_property
    def seconds(self) -> float:
        """About what it takes without the kernel: 15 ns a pair of 60 letters, 13 µs of 1,000."""
        lo, hi = self.windows
        words = self.queries.sizes / 64
        each = 1e-9 * (5 + (15 * words**3).clip(0, 55 * words**2))
        return float(((hi - lo).clip(0) * each).sum())

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
        pays = KERNEL_LOADED_PAYS if f"{__package__}._kernel" in sys.modules else KERNEL_PAYS
        fast = search.seconds > pays and search.fits and _installed()
    if fast:
        from ._kernel import Compiled
        from .shards import workers

        threads = workers() if search.seconds > THREADS_PAY else 1
        return Compiled(search, threads).near
    return Plain(search).near


def _installed() -> bool:
    try:
        import numba  # noqa: F401
    except ImportError:  # not installed, or it cannot work with this numpy
        return False
    return True


class Plain:
    """The search in numpy and rapidfuzz alone, a block of queries at a time."""

    def __init__(self, search: Search) -> None:
        import numpy as np

        self.search = search
        self.lo, self.hi = search.windows
        self.rows: dict[int, tuple[Array, Array]] = {}
        # numpy 1 cannot count bits.
        self.sketched = search.seconds > SKETCHES_PAY and hasattr(np, "bitwise_count")

    def near(self, i: int, labels: Array, skip: int) -> tuple[Array, Array]:
        if i not in self.rows:
            ahead = {k: row for k, row in self.rows.items() if k > i}
            self.rows = ahead | self._block(i, labels, skip)
        found, similarities = self.rows.pop(i)
        left = (labels[found] != skip) & (labels[found] >= 0)
        return found[left], similarities[left]

    def _block(self, i: int, labels: Array, skip: int) -> dict[int, tuple[Array, Array]]:
        import numpy as np

        block = np.arange(i, min(i + 4 * BLOCK, len(self.lo)))
        left_out = -1
        if self.search.within:
            alike = block[labels[block] == skip]
            # A text that another one has claimed will not be asked for; and if many of one group
            # are coming, what is in the group already need not be compared again.
            left_out = skip if len(alike) >= FAMILY else -1
            block = alike if left_out >= 0 else block[labels[block] >= 0]
        block = block[:BLOCK]
        targets = np.arange(self.lo[block].min(), self.hi[block].max())
        targets = targets[(labels[targets] >= 0) & (labels[targets] != left_out)]
        chunks = [targets[k : k + COLUMNS] for k in range(0, max(len(targets), 1), COLUMNS)]
        parts = zip(*(self._compare(block, chunk) for chunk in chunks), strict=True)
        rows, found, similarities = map(np.concatenate, parts)
        order = np.argsort(rows, kind="stable")
        cuts = np.searchsorted(rows[order], np.arange(1, len(block)))
        each = (np.split(column[order], cuts) for column in (found, similarities))
        return dict(zip(map(int, block), zip(*each, strict=True), strict=True))

    def _compare(self, block: Array, targets: Array) -> tuple[Array, Array, Array]:
        sketched = self.sketched and self.search.queries.sizes[block].mean() < SKETCHES_TELL
        compare = self._left_over if sketched else self._all
        rows, found, similarities = compare(block, targets)
        # Told the cutoff itself, rapidfuzz 3.14 gives 0 for some pairs that stand at it.
        near = (similarities >= self.search.cutoff) & (found >= self.lo[block][rows])
        return rows[near], found[near], similarities[near]

    def _all(self, block: Array, targets: Array) -> tuple[Array, Array, Array]:
        import numpy as np
        from rapidfuzz.process import cdist

        one, other = self._texts(block, targets)
        table: Array = cdist(one, other, **self._scoring())
        rows, columns = np.nonzero(table)
        return rows, targets[columns], table[rows, columns]

    def _left_over(self, block: Array, targets: Array) -> tuple[Array, Array, Array]:
        from rapidfuzz.process import cpdist

        from ._sketches import candidates

        queries, choices = self.search.letters
        rows, found = candidates(queries, block, choices, targets, self.search.cutoff)
        one, other = self._texts(block[rows], found)
        similarities: Array = cpdist(one, other, **self._scoring())
        return rows, found, similarities

    def _texts(self, queries: Array, targets: Array) -> tuple[list[str], list[str]]:
        one, other = self.search.queries.texts, self.search.targets.texts
        return [one[i] for i in queries], [other[j] for j in targets]

    def _scoring(self) -> dict[str, Any]:
        import numpy as np
        from rapidfuzz.distance import Indel

        cutoff = self.search.cutoff - 1e-6
        scorer = Indel.normalized_similarity
        return {"scorer": scorer, "score_cutoff": cutoff, "dtype": np.float64}
