"""What the near-duplicate search stands on: texts by length, windows, and the choice of engine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .windows import Search

if TYPE_CHECKING:
    from .windows import Array, FindNear, Search, TextsByLength


BLOCK = 32  # queries at once; memory: BLOCK x COLUMNS x 8 bytes, a few times
GROUP_SIZE = 4  # queries of one group
COLUMNS = 20_000  # targets at once
SKETCHES_MIN_SECONDS = 0.05  # seconds of estimated work: making them takes some
SKETCHES_MAX_LETTERS = 160  # letters, on average: beyond, nearly all pairs are left over
KERNEL_MIN_SECONDS = 1.0  # seconds; importing numba and the kernel takes 0.6, compiling it once 3
LOADED_KERNEL_MIN_SECONDS = 0.05
THREADS_MIN_SECONDS = 60.0  # seconds without the kernel: with it, 5


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
            if f"{__package__}.numba_kernel" in sys.modules
            else KERNEL_MIN_SECONDS
        )
        fast = search.estimated_seconds > pays and search.fits_in_memory and _numba_installed()
    if fast:
        from ..utils.cpu_count import worker_count
        from .numba_kernel import CompiledSearch

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

        from .sketches import candidates

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
