"""Learning curves: with how many training rows a model would make few enough errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .score import Unmeasurable

FEWEST_SIZES = 3  # two points always lie on a power law
FARTHEST = 100  # times the largest size: beyond it there is no end
SURE = 3.841459  # 95 % of chi-squared with one degree of freedom


class Point(NamedTuple):
    """Of n independent validation rows, so many are wrong after a training on `rows` rows."""

    rows: int
    wrong: float
    n: float


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
    12:8. The fit is by binomial likelihood, the interval by its profile, over all floors. Where the
    points do not exclude a floor at the target, it is that of no floor, and `goes_on` says so. It
    knows the chance of the validation rows, and not that of the seed.

    Raises Unmeasurable with the reason where that cannot be said: of fewer than three sizes, of a
    plateau before or after the power law, and of an interval without an end.
    """
    if len(points) < FEWEST_SIZES:
        raise Unmeasurable(f"a power law takes {FEWEST_SIZES} sizes, and {len(points)} are there")
    if target <= 0:
        raise Unmeasurable("no number of rows takes the last error away")
    import numpy as np
    from scipy.special import gammaincc

    points, told = sorted(points), f"{max(p.n for p in points):,.0f} validation rows"
    best = sum(_log_likelihood(p, p.wrong / p.n) for p in points)
    law, fitted = _fit(points, target, [0.0])
    mean = sum(p.wrong for p in points) / sum(p.n for p in points)
    if mean > target and fitted - sum(_log_likelihood(p, mean) for p in points) < SURE / 2:
        span = f"from {points[0].rows:,} to {points[-1].rows:,} training rows"
        why = f"as far as {told} show, errors do not fall {span}"
        raise Unmeasurable(f"{why}: a plateau, before the power law or after it")
    above, fitted_above = _fit(points, target, target * (1 - np.geomspace(1e-3, 1, 20)))
    refuted = gammaincc(len(points) / 2 - 1, max(best - fitted, 0)) < 0.05
    if refuted and _falls(*points[-2:]) > _falls(*points[:2]):
        why = f"errors begin to fall at about {points[-2].rows:,} rows: a plateau before the power"
        raise Unmeasurable(f"{why} law; more rows will tell")
    if above.high < math.inf and best - fitted_above < SURE / 2:
        return above if refuted else above._replace(likely=law.likely)
    if refuted:
        least = f"{min(p.wrong / p.n for p in points):.1%}"
        why = f"errors level off at about {least}: a plateau after the power law"
        raise Unmeasurable(f"{why}; more rows like these hardly help")
    if law.high == math.inf:
        raise Unmeasurable(f"at least {rounded(law.low)} rows; for an upper end {told} are too few")
    return law._replace(goes_on=True)


def _fit(points: Sequence[Point], target: float, floors: Any) -> tuple[RowsNeeded, float]:
    """Return the rows needed by the power laws above these floors, and the log likelihood."""
    import numpy as np

    most = points[-1].rows * FARTHEST
    needed = np.geomspace(points[0].rows / FARTHEST, most * FARTHEST**2, 800)[:, None]
    falls = [(needed / point.rows) ** np.linspace(0.02, 3, 150) for point in points]
    profile = np.full(len(needed), -math.inf)
    for floor in floors:
        shares = (floor + (target - floor) * fall for fall in falls)
        likelihood = sum(map(_log_likelihood, points, shares))
        profile = np.maximum(profile, likelihood.max(axis=1))
    inside = np.flatnonzero(profile > profile.max() - SURE / 2)
    likely, low, high = (float(needed[i, 0]) for i in (profile.argmax(), inside[0], inside[-1]))
    low, high = low if inside[0] else 0.0, high if high < most else math.inf
    return RowsNeeded(likely, low, high), float(profile.max())


def _log_likelihood(point: Point, share: Any) -> Any:
    """Return the binomial log likelihood of a share of errors, or of each in an array."""
    import numpy as np

    share = np.clip(share, 1e-12, 1 - 1e-12)
    return point.wrong * np.log(share) + (point.n - point.wrong) * np.log1p(-share)


def _falls(point: Point, larger: Point) -> float:
    """Return by how much errors fall between two sizes, as the exponent of a power law."""
    ratio = (point.wrong + 0.5) / point.n / ((larger.wrong + 0.5) / larger.n)
    return math.log(ratio) / math.log(larger.rows / point.rows)


def rounded(number: float) -> str:
    """Return a number with two digits that count."""
    return f"{float(f'{number:.2g}'):,.0f}"
