"""Votes: one verdict of several ballots, and how far the ballots agree."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from itertools import combinations

from tunegate.score import Z95, wilson

from .ask import Vote
from .rubric import Marks, Rubric


def majority_marks(votes: Sequence[Vote[Marks]], rubric: Rubric) -> Marks | None:
    """Return the marks that the ballots make; None where ballots that are missing could decide.

    A criterion is met where more than half of all ballots say so: a tie is not. On a scale it is
    the median, the lower of two.
    """
    worst, best = rubric.extremes()
    low, high = (
        _combine([b.value if b.value is not None else assumed for b in votes], rubric)
        for assumed in (worst, best)
    )
    return low if low == high else None


def _combine(votes: Sequence[Marks], rubric: Rubric) -> Marks:
    if rubric.scale:
        return {"score": sorted(vote["score"] for vote in votes)[(len(votes) - 1) // 2]}
    return {c.id: sum(vote[c.id] for vote in votes) * 2 > len(votes) for c in rubric.criteria}


def plurality_side(votes: Sequence[str | None]) -> str | None:
    """Return "a" or "b" where more than half say so, else "tie"; None where a missing one decides.

    None among the votes is one that is missing.
    """
    for_a, for_b, missing = votes.count("a"), votes.count("b"), votes.count(None)
    possible = {
        _winner(for_a + missing, for_b, len(votes)),
        _winner(for_a, for_b + missing, len(votes)),
    }
    return possible.pop() if len(possible) == 1 else None


def _winner(for_a: int, for_b: int, n: int) -> str:
    return "a" if 2 * for_a > n else "b" if 2 * for_b > n else "tie"


def agreement(votes_by_item: Sequence[Sequence[Hashable]]) -> float:
    """Return the share of pairs of ballots on the same reply that are alike; NaN without a pair.

    Source: the observed agreement of J. L. Fleiss (1971), Psychological Bulletin 76:378-382,
    each pair counting the same.
    """
    pairs = [first == second for votes in votes_by_item for first, second in combinations(votes, 2)]
    return sum(pairs) / len(pairs) if pairs else math.nan


def mean_bounds(total: float, n: int) -> tuple[float, float, float]:
    """Return low and high (95 %), and the one-sided lower bound, of a mean of values in [0, 1].

    `total` is the sum of the n values. Wilson's interval, as if the mean were a proportion: such
    values vary by p (1 - p) at most, so that it is never too short. A bootstrap of 20 wins in 20
    would have no width at all.
    """
    (low, high), (lower, _) = (wilson(total, n, z) for z in (Z95, 1.644854))
    return max(low, 0.0), min(high, 1.0), max(lower, 0.0)  # rounding
