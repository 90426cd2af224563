"""The bootstrap: what a score would have been on other examples of the same kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

INTERVAL_RESAMPLES = 1_000  # resamples: enough for the 2.5 % quantile
P_VALUE_RESAMPLES = 10_000  # resamples: enough to see a p of 0.001
_MAX_COUNTS = 2_000_000  # counts held in memory


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
    return np.vstack(
        [
            _draw_counts(random, min(step, resamples - done), n) @ statistics
            for done in range(0, resamples, step)
        ]
    )


def _draw_counts(random: Any, resamples: int, n: int) -> Array:
    """Return how often each resample drew each example."""
    import numpy as np

    drawn = random.integers(0, n, (resamples, n)) + n * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * n)
    return counts.reshape(resamples, n).astype(np.float64)
