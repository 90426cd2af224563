"""Forgetting: a model tuned for one task must still do what is beside it."""

from __future__ import annotations

import math

from tunegate.extraction import Rule, exact
from tunegate.findings import Findings
from tunegate.predictions import Predictions
from tunegate.score import Score, shown

from . import flips, proportions
from .classification import right
from .paired import Pair, paired
from .spared import spared

NAME = "general accuracy kept"


def change(now: Predictions, before: Predictions, *, label: Rule = exact) -> Score:
    """Return accuracy on the general set less the baseline's, between -1 and 1.

    `assert change(...).by("lower") >= -0.05` is a test of non-inferiority: it passes where the
    one-sided 95 % lower bound of the difference (Bonett & Price, paired) is above the margin, which
    takes 45 questions for 5 points even where no answer changed. Of errors the value assumes
    the worst. Where nothing could be asked it is NaN: no limit can be held to it.
    """
    if not len(now) or not len(before):
        return Score(math.nan, name=NAME, hints=("nothing was asked: a file cannot answer it",))
    new, old = paired(now, before)
    worst, best = (Pair(right(label), *p) for p in ((new, spared(old)), (spared(new), old)))
    low, high = worst.interval()
    return Score(
        worst.difference, name=NAME, n=len(new), low=low, high=high, if_right=best.difference,
        lower=_lower(worst), lower_if_right=_lower(best), misses=_lost(new, old, label),
        errors=sum(bool(a.error or b.error) for a, b in zip(new, old, strict=True)),
        signature=f"baseline {shown(worst.before, True)}, now {shown(worst.after, True)}; "
        f"{worst.gained} gained, {worst.lost} lost; set {now.test[:12]}",
    )  # fmt: skip


def _lower(pair: Pair) -> float:
    if not pair.n:
        return math.nan
    return proportions.interval(pair.gained, pair.lost, pair.n, proportions.Z90)[0]


def _lost(new: Predictions, old: Predictions, label: Rule) -> Findings:
    found = flips.find(new, old, right(label))
    return Findings(
        "forgotten", (f for f in found if f.kind == "lost"), split="general", n=len(new)
    )
