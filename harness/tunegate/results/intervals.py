"""Confidence intervals of proportions: Wilson, and the Clopper-Pearson lower bound."""

from __future__ import annotations

import math

Z95 = 1.959964  # standard deviations: two-sided 95 %


def wilson(hits: float, n: int, z: float = Z95) -> tuple[float, float]:
    """Return Wilson's score interval for a proportion; z = 1.96 gives 95 %, two-sided.

    Source: E. B. Wilson (1927), JASA 22:209-212. Unlike p ± z·se it stays inside [0, 1] and
    keeps its coverage near 0 and 1, where the shares lie that gates limit.
    """
    if n == 0:
        return math.nan, math.nan
    p, zz = hits / n, z * z / n
    centre = (p + zz / 2) / (1 + zz)
    half = z * math.sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz)
    # Rounding must not leave the point estimate outside its own interval at 0 and n hits.
    return (0.0 if hits == 0 else centre - half), (1.0 if hits == n else centre + half)


def clopper_pearson(hits: int, n: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided lower bound of a proportion; NaN where n is 0.

    Source: C. J. Clopper & E. S. Pearson (1934), Biometrika 26:404-413. The share under which
    `hits` or more of n would be observed with probability 1 - confidence.
    """
    if not 0 < hits <= n:
        return 0.0 if n else math.nan
    from scipy.special import betaincinv

    return float(betaincinv(hits, n - hits + 1, 1 - confidence))
