"""The bootstrap: the distribution of a score over resamples of its examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

INTERVAL_RESAMPLES = 1_000  # enough for the 2.5 % quantile
P_VALUE_RESAMPLES = 10_000  # enough to see a p of 0.001
_MAX_COUNTS = 2_000_000  # resamples times examples held in memory at once


def resampled_sums(statistics: Array, resamples: int = INTERVAL_RESAMPLES, seed: int = 0) -> Array:
    """Return the column sums of resamples: (examples, k) in, (resamples, k) out.

    Each resample draws as many examples as there are, with replacement: Efron & Tibshirani, An
    Introduction to the Bootstrap, 1993, chapter 13. The same seed and number of examples draw the
    same examples: two models resampled so are compared pair by pair.
    """
    import numpy as np

    n = len(statistics)
    random = np.random.default_rng(seed)
    step = max(_MAX_COUNTS // n, 1)
    sums: list[Array] = []
    for done in range(0, resamples, step):
        size = min(step, resamples - done)
        drawn = random.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n)  # how often each example was drawn
        sums.append(counts.reshape(size, n).astype(np.float64) @ statistics)
    return np.vstack(sums)
