"""Chooses the engine of the near-duplicate search, and holds the one on numpy and rapidfuzz."""

import sys

from ..utils.processes import worker_count
from .long_texts import LongTextSearch, short_texts
from .windows import Array, FindNear, Search, TextsByLength

BLOCK = 32  # queries at once; memory: BLOCK x COLUMNS x 8 bytes, a few times
GROUP_SIZE = 4  # queries of one group from which on the targets of the group are left out
COLUMNS = 20_000  # targets at once
KERNEL_MIN_SECONDS = 1.0  # importing numba and the kernel takes 0.6 s, the first compilation 3 s
LOADED_KERNEL_MIN_SECONDS = 0.05


def make_finder(
    queries: TextsByLength, targets: TextsByLength, cutoff: float, fast: bool | None
) -> FindNear:
    """Return the function that finds the targets near to a query, of the fastest engine.

    `fast` forces the compiled kernel (True) or numpy and rapidfuzz (False). Raises ValueError for a
    cutoff outside 0 < cutoff <= 1.
    """
    if not 0 < cutoff <= 1:
        raise ValueError(f"the similarity is {cutoff}; it must be above 0 and at most 1")
    search = Search(queries, targets, cutoff)
    if short := short_texts(search):
        return LongTextSearch(search, _make_finder(short, fast)).find_near
    return _make_finder(search, fast)


def _make_finder(search: Search, fast: bool | None) -> FindNear:
    if fast is None:
        is_loaded = f"{__package__}.numba_kernel" in sys.modules
        min_seconds = LOADED_KERNEL_MIN_SECONDS if is_loaded else KERNEL_MIN_SECONDS
        fast = search.estimated_seconds > min_seconds and _numba_installed()
    if fast:
        from .numba_kernel import CompiledSearch

        return CompiledSearch(search).find_near
    return NumpySearch(search).find_near


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
