"""Several comparisons at once: the more are made, the more would hold by luck.

Holm's step-down procedure keeps the chance of any false claim among them at alpha.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .compare import ALPHA, Comparison, is_shown, record_comparison


def adjusted_p_values(ps: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given; NaN stays NaN, and counts.

    Source: S. Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian
    Journal of Statistics 6:65-70.
    """
    m, highest = len(ps), 0.0
    result = [math.nan] * m
    order = sorted((i for i in range(m) if not math.isnan(ps[i])), key=lambda i: ps[i])
    for rank, i in enumerate(order):
        highest = max(highest, min((m - rank) * ps[i], 1.0))
        result[i] = highest
    return result


class HolmFamily:
    """Comparisons that are claimed together; true where every one holds after Holm's adjustment.

    `assert holm.Family(superior(new, old), not_inferior(new, old, chrf, margin=1))`
    """

    def __init__(self, *comparisons: Comparison, alpha: float = ALPHA) -> None:
        if not comparisons:
            raise ValueError("no comparisons: give at least one, such as superior(new, old)")
        self.comparisons, self.alpha = comparisons, alpha
        self.p = adjusted_p_values([c.p for c in comparisons])
        self.best_case_p = adjusted_p_values([c.best_case_p for c in comparisons])

    def holds(self) -> list[bool | None]:
        """Say of each claim whether it is shown; None where missing answers decide."""
        both = zip(self.p, self.best_case_p, strict=True)
        return [is_shown(p, best, self.alpha) for p, best in both]

    def __bool__(self) -> bool:
        __tracebackhide__ = True
        outcomes = self.holds()
        all_hold = False if False in outcomes else None if None in outcomes else True
        p = [None if math.isnan(p) else p for p in self.p]
        data = {"alpha": self.alpha, "p": p, "claims": [c.claim for c in self.comparisons]}
        failed = [c for c, h in zip(self.comparisons, outcomes, strict=True) if not h]
        subject = failed[0].flips if failed else None
        return record_comparison(all_hold, "Holm", repr(self), data, subject)

    def __repr__(self) -> str:
        """One line: which of the claims fail, with p before and after the adjustment."""
        rows = zip(self.comparisons, self.p, self.holds(), strict=True)
        failed = [f"{c.claim} (p = {c.p:.2g}, adjusted {p:.2g})" for c, p, h in rows if not h]
        n = len(self.comparisons)
        if not failed:
            return f"<all {n} claims hold after Holm, alpha = {self.alpha:g}>"
        return f"<{len(failed)} of {n} claims fail after Holm: {'; '.join(failed)}>"
