"""Learning curves: with how many training rows a model would make few enough errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from .score import Unmeasurable

FARTHEST = 100  # times the largest size: beyond it there is no end
SURE = 3.841459 / 2  # of log likelihoods: 95 % of chi-squared with one degree of freedom
Point: TypeAlias = tuple[int, float, float]  # training rows; independent validation rows: wrong, n


class RowsNeeded(NamedTuple):
    """Training rows, with their 95 % interval; `goes_on`: it takes the power law to go on."""

    likely: float
    low: float
    high: float
    goes_on: bool = False


def rows_needed_for(points: Sequence[Point], target: float) -> RowsNeeded:
    """Return with how many training rows the share of errors falls to the target.

    Errors fall by a power law, a n^-b, or above a floor, a n^-b + c: J. Hestness et al. (2017),
    arXiv:1712.00409; R. L. Figueroa et al. (2012), BMC Medical Informatics and Decision Making
    12:8. The fit is by binomial likelihood, the interval by its profile over all floors, or over
    none where the points do not exclude one at the target (`goes_on`). It knows the chance of the
    validation rows, not that of the seed. Raises Unmeasurable with the reason where that cannot be
    said: of fewer than three sizes, of a plateau, and of an interval without an end.
    """
    if len(points) < 3 or target <= 0:
        few = f"a power law takes 3 sizes, and {len(points)} are there"
        raise Unmeasurable(few if target > 0 else "no number of rows takes the last error away")
    import numpy as np
    from scipy.special import gammaincc

    (first, *_, last), told = (points := sorted(points)), f"{points[0][2]:,.0f} validation rows"
    mean = sum(wrong for _, wrong, _ in points) / sum(n for _, _, n in points)
    best = sum(_log_likelihood(p, p[1] / p[2]) for p in points)
    law, fitted = _fit(points, target, [0.0])
    if mean > target and fitted - sum(_log_likelihood(p, mean) for p in points) < SURE:
        said = f"errors do not fall from {first[0]:,} to {last[0]:,} training rows"
        why = "a plateau, before the power law or after it"
        raise Unmeasurable(f"as far as {told} show, {said}: {why}")
    above, fitted_above = _fit(points, target, target * (1 - np.geomspace(1e-3, 1, 20)))
    refuted = gammaincc(len(points) / 2 - 1, max(best - fitted, 0)) < 0.05
    falls = [(b / m + 1e-9) / (a / n + 1e-9) for (_, a, n), (_, b, m) in pairwise(points)]
    if refuted and falls[-1] < falls[0]:
        why = "a plateau before the power law; more rows will tell"
        raise Unmeasurable(f"errors begin to fall at about {points[-2][0]:,} rows: {why}")
    if above.high < math.inf and best - fitted_above < SURE:
        return above if refuted else above._replace(likely=law.likely)
    if refuted:
        why = "a plateau after the power law, or one odd training"
        raise Unmeasurable(f"errors level off at about {last[1] / last[2]:.1%}: {why}")
    if law.high == math.inf:
        raise Unmeasurable(f"at least {law.low:,.0f} rows; for an upper end {told} are too few")
    return law._replace(goes_on=True)


def _fit(points: Sequence[Point], target: float, floors: Any) -> tuple[RowsNeeded, float]:
    """Return the rows needed by the power laws above these floors, and the log likelihood."""
    import numpy as np

    most = points[-1][0] * FARTHEST
    needed = np.geomspace(points[0][0] / FARTHEST, most * FARTHEST**2, 800)[:, None]
    falls = [(needed / rows) ** np.linspace(0.02, 3, 150) for rows, _, _ in points]
    profile = np.full(len(needed), -math.inf)
    for floor in floors:
        shares = (floor + (target - floor) * fall for fall in falls)
        likelihood = sum(map(_log_likelihood, points, shares))
        profile = np.maximum(profile, likelihood.max(axis=1))
    inside = np.flatnonzero(profile > profile.max() - SURE)
    likely, low, high = (float(needed[i, 0]) for i in (profile.argmax(), inside[0], inside[-1]))
    low, high = low if inside[0] else 0.0, high if high < most else math.inf
    return RowsNeeded(likely, low, high), float(profile.max())


def _log_likelihood(point: Point, share: Any) -> Any:
    """Return the binomial log likelihood of a share of errors, or of each in an array."""
    import numpy as np

    (_, wrong, n), share = point, np.clip(share, 1e-12, 1 - 1e-12)
    return wrong * np.log(share) + (n - wrong) * np.log1p(-share)
