"""Forgetting: a model tuned for one task must still do what is beside it."""

from __future__ import annotations

import math

from tunegate.extraction import LabelRule, exact
from tunegate.findings import Findings
from tunegate.predictions import Predictions
from tunegate.score import Score

from . import flips, improvement
from .classification import right

FORGETTING_NAME = "general accuracy kept"


def change(candidate: Predictions, baseline: Predictions, *, label: LabelRule = exact) -> Score:
    """Return accuracy on the general set less the baseline's, between -1 and 1.

    `assert change(...).by("lower") >= -0.05` is a test of non-inferiority: it passes where the
    one-sided 95 % lower bound of the difference (Bonett & Price, paired) is above the margin, which
    takes 45 questions for 5 points even where no answer changed. Of errors the value assumes
    the worst. Where nothing could be asked it is NaN: no limit can be held to it.
    """
    if not len(candidate) or not len(baseline):
        return Score(
            math.nan, name=FORGETTING_NAME, hints=("nothing was asked: a file cannot answer it",)
        )
    difference = improvement.of(candidate, over=baseline, label=label, name=FORGETTING_NAME)
    difference.misses = _forgotten_findings(candidate, baseline, label)
    difference.signature = f"{difference.signature}; set {candidate.test[:12]}"
    return difference


def _forgotten_findings(
    candidate: Predictions, baseline: Predictions, label: LabelRule
) -> Findings:
    flip_findings = flips.find_flips(candidate, baseline, right(label))
    lost = (f for f in flip_findings if f.kind == "lost")
    return Findings("forgotten", lost, split="general", n=flip_findings.n)
