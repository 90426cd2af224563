"""Forgetting: a model tuned for one task must still do what is beside it."""

from __future__ import annotations

import math

from tunegate.extraction import Rule, exact
from tunegate.findings import Findings
from tunegate.predictions import Predictions
from tunegate.score import Score

from . import flips, improvement
from .classification import right

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
    kept = improvement.of(now, over=before, label=label, name=NAME)
    kept.misses = _lost(now, before, label)
    kept.signature = f"{kept.signature}; set {now.test[:12]}"
    return kept


def _lost(now: Predictions, before: Predictions, label: Rule) -> Findings:
    found = flips.find(now, before, right(label))
    lost = (f for f in found if f.kind == "lost")
    return Findings("forgotten", lost, split="general", n=found.n)
