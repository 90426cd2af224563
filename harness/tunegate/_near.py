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
    FindNear = Callable[[int, Array, int], tuple[Array, Array]]

BLOCK = 32  # queries at once; memory: BLOCK x COLUMNS x 8 bytes, a few times
GROUP_SIZE = 4  # queries of one group
COLUMNS = 20_000  # targets at once
SKETCHES_MIN_SECONDS = 0.05  # seconds of estimated work: making them takes some
SKETCHES_MAX_LETTERS = 160  # letters, on average: beyond, nearly all pairs are left over
KERNEL_MIN_SECONDS = 1.0  # seconds; importing numba and the kernel takes 0.6, compiling it once 3
LOADED_KERNEL_MIN_SECONDS = 0.05
THREADS_MIN_SECONDS = 60.0  # seconds without the kernel: with it, 5
KERNEL_MEMORY = (
    1 << 28
)  # bytes for one query's masks: a text of a million Chinese letters needs more


@dataclass(frozen=True, eq=False)
class TextsByLength:
    """Distinct texts, the longest first, and the places each had in the list they came from."""

    texts: list[str]
    positions: list[list[int]]

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> TextsByLength:
        positions: dict[str, list[int]] = {}
        for i, text in enumerate(texts):
            positions.setdefault(text, []).append(i)
        distinct = sorted(positions, key=len, reverse=True)
        return cls(distinct, [positions[text] for text in distinct])

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def sizes(self) -> Array:
        import numpy as np

        return np.fromiter(map(len, self.texts), np.int64, len(self))

    @cached_property
    def indices(self) -> Array:
        import numpy as np

        return np.arange(len(self))


@dataclass(frozen=True, eq=False)
class Search:
    """Queries, targets, and for each query the window of targets whose length allows a match."""

    queries: TextsByLength
    targets: TextsByLength
    cutoff: float

    @property
    def is_within_one_list(self) -> bool:
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
        return (self.queries.indices + 1 if self.is_within_one_list else lo), hi

    @cached_property
    def encoded_letters(self) -> tuple[Letters, Letters]:
        from ._sketches import encode_both

        return encode_both(self.queries.texts, self.targets.texts)

    @cached_property
    def estimated_seconds(self) -> float:
        """About what it takes without the kernel: 15 ns a pair of 60 letters, 13 µs of 1,000."""
        lo, hi = self.windows
        word_counts = self.queries.sizes / 64
        seconds_per_pair = 1e-9 * (5 + (15 * word_counts**3).clip(0, 55 * word_counts**2))
        return float(((hi - lo).clip(0) * seconds_per_pair).sum())

    @property
    def fits_in_memory(self) -> bool:
        longest = int(self.queries.sizes.max(initial=0))
        letters = max(map(len, map(set, self.queries.texts[:100])), default=0) + 1
        return letters * (longest // 64 + 2) * 8 < KERNEL_MEMORY


def make_finder(
    queries: TextsByLength, targets: TextsByLength, cutoff: float, fast: bool | None
) -> FindNear:
    """Return the function that finds the targets near to a query, by the engine that pays."""
    if not 0 < cutoff <= 1:
        raise ValueError(f"the similarity is {cutoff}; it must be above 0 and at most 1")
    search = Search(queries, targets, cutoff)
    if fast is None:
        pays = (
            LOADED_KERNEL_MIN_SECONDS
            if f"{__package__}._kernel" in sys.modules
            else KERNEL_MIN_SECONDS
        )
        fast = search.estimated_seconds > pays and search.fits_in_memory and _numba_installed()
    if fast:
        from ._kernel import CompiledSearch
        from .shards import worker_count

        threads = worker_count() if search.estimated_seconds > THREADS_MIN_SECONDS else 1
        return CompiledSearch(search, threads).find_near
    return NumpySearch(search).find_near


def _numba_installed() -> bool:
    try:
        import numba  # noqa: F401
    except ImportError:  # not installed, or it cannot work with this numpy
        return False
    return True


class NumpySearch:
    """The search in numpy and rapidfuzz alone, a block of queries at a time."""

    def __init__(self, search: Search) -> None:
        import numpy as np

        self.search = search
        self.lo, self.hi = search.windows
        self.rows: dict[int, tuple[Array, Array]] = {}
        # numpy 1 cannot count bits.
        self.uses_sketches = search.estimated_seconds > SKETCHES_MIN_SECONDS and hasattr(
            np, "bitwise_count"
        )

    def find_near(self, i: int, labels: Array, skip: int) -> tuple[Array, Array]:
        if i not in self.rows:
            ahead = {k: row for k, row in self.rows.items() if k > i}
            self.rows = ahead | self._search_block(i, labels, skip)
        matches, similarities = self.rows.pop(i)
        remaining = (labels[matches] != skip) & (labels[matches] >= 0)
        return matches[remaining], similarities[remaining]

    def _search_block(self, i: int, labels: Array, skip: int) -> dict[int, tuple[Array, Array]]:
        import numpy as np

        block = np.arange(i, min(i + 4 * BLOCK, len(self.lo)))
        excluded_label = -1
        if self.search.is_within_one_list:
            same_group = block[labels[block] == skip]
            # A text that another one has claimed will not be asked for; and if many of one group
            # are coming, what is in the group already need not be compared again.
            excluded_label = skip if len(same_group) >= GROUP_SIZE else -1
            block = same_group if excluded_label >= 0 else block[labels[block] >= 0]
        block = block[:BLOCK]
        targets = np.arange(self.lo[block].min(), self.hi[block].max())
        targets = targets[(labels[targets] >= 0) & (labels[targets] != excluded_label)]
        chunks = [targets[k : k + COLUMNS] for k in range(0, max(len(targets), 1), COLUMNS)]
        parts = zip(*(self._compare(block, chunk) for chunk in chunks), strict=True)
        rows, matches, similarities = map(np.concatenate, parts)
        order = np.argsort(rows, kind="stable")
        cuts = np.searchsorted(rows[order], np.arange(1, len(block)))
        columns = (np.split(column[order], cuts) for column in (matches, similarities))
        return dict(zip(map(int, block), zip(*columns, strict=True), strict=True))

    def _compare(self, block: Array, targets: Array) -> tuple[Array, Array, Array]:
        sketched = (
            self.uses_sketches and self.search.queries.sizes[block].mean() < SKETCHES_MAX_LETTERS
        )
        compare = self._compare_candidates if sketched else self._compare_all
        rows, matches, similarities = compare(block, targets)
        # Told the cutoff itself, rapidfuzz 3.14 gives 0 for some pairs that stand at it.
        near = (similarities >= self.search.cutoff) & (matches >= self.lo[block][rows])
        return rows[near], matches[near], similarities[near]

    def _compare_all(self, block: Array, targets: Array) -> tuple[Array, Array, Array]:
        import numpy as np
        from rapidfuzz.process import cdist

        query_texts, target_texts = self._texts(block, targets)
        table: Array = cdist(query_texts, target_texts, **self._cdist_options())
        rows, columns = np.nonzero(table)
        return rows, targets[columns], table[rows, columns]

    def _compare_candidates(self, block: Array, targets: Array) -> tuple[Array, Array, Array]:
        from rapidfuzz.process import cpdist

        from ._sketches import candidates

        queries, choices = self.search.encoded_letters
        rows, matches = candidates(queries, block, choices, targets, self.search.cutoff)
        query_texts, target_texts = self._texts(block[rows], matches)
        similarities: Array = cpdist(query_texts, target_texts, **self._cdist_options())
        return rows, matches, similarities

    def _texts(self, queries: Array, targets: Array) -> tuple[list[str], list[str]]:
        query_texts, target_texts = self.search.queries.texts, self.search.targets.texts
        return [query_texts[i] for i in queries], [target_texts[j] for j in targets]

    def _cdist_options(self) -> dict[str, Any]:
        import numpy as np
        from rapidfuzz.distance import Indel

        cutoff = self.search.cutoff - 1e-6
        scorer = Indel.normalized_similarity
        return {"scorer": scorer, "score_cutoff": cutoff, "dtype": np.float64}
