"""Flips: the examples on which two models do not do equally well, item by item."""

from __future__ import annotations

from collections.abc import Iterator

from tunegate.findings import Finding, Findings
from tunegate.labelled import shortened
from tunegate.predictions import Prediction, Predictions

from .metric import Metric
from .paired import paired

LEAST = 1e-9  # rounding is no flip


def find(candidate: Predictions, other: Predictions, metric: Metric) -> Findings:
    """Return what the candidate gained and lost against the other model, by line of the test set.

    For a metric that is a mean (then by how much, and what was expected), or a share of right
    answers (then one of the two is the expected one). Of a corpus-wide one (BLEU, macro-F1) no
    example has a score of its own, and none is listed. A missing answer counts wrong.
    """
    new, old = paired(candidate, other)
    if not len(new):
        return Findings("flips", (), split="test")
    return Findings("flips", _found(new, old, metric), split="test", n=len(new))


def _found(new: Predictions, old: Predictions, metric: Metric) -> Iterator[Finding]:
    after, before = metric.statistics(new), metric.statistics(old)
    if after.shape[1] != 1:
        return
    gains = (after - before)[:, 0]
    for p, was, gain in zip(new, old, gains, strict=True):
        if abs(gain) > LEAST:
            told = _told(p, was)
            if not metric.binary:
                told = f"{gain:+.3f}, {shortened(p.expected, 24)!r} expected: {told}"
            yield Finding(p.row, p.line, "gained" if gain > 0 else "lost", told)


def _told(new: Prediction, old: Prediction) -> str:
    before, after = shortened(_said(old), 24), shortened(_said(new), 24)
    return f"{before!r} became {after!r} for: {shortened(new.prompt, 60)}"


def _said(p: Prediction) -> str:
    return "(no answer)" if p.error else p.got
