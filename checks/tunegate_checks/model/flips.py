"""Flips: the examples on which two models do not do equally well, item by item."""

from __future__ import annotations

from collections.abc import Iterator

from tunegate.findings import Finding, Findings
from tunegate.labelled import shorten
from tunegate.predictions import Prediction, Predictions

from .metric import Metric
from .paired import pair_predictions

MIN_GAIN = 1e-9  # rounding is no flip


def find_flips(candidate: Predictions, other: Predictions, metric: Metric) -> Findings:
    """Return what the candidate gained and lost against the other model, by line of the test set.

    For a metric that is a mean (then by how much, and what was expected), or a share of right
    answers (then one of the two is the expected one). Of a corpus-wide one (BLEU, macro-F1) no
    example has a score of its own, and none is listed. A missing answer counts wrong.
    """
    candidate_rows, other_rows = pair_predictions(candidate, other)
    if not len(candidate_rows):
        return Findings("flips", (), split="test")
    return Findings(
        "flips",
        _flip_findings(candidate_rows, other_rows, metric),
        split="test",
        n=len(candidate_rows),
    )


def _flip_findings(candidate: Predictions, other: Predictions, metric: Metric) -> Iterator[Finding]:
    candidate_stats, other_stats = metric.statistics(candidate), metric.statistics(other)
    if candidate_stats.shape[1] != 1:
        return
    gains = (candidate_stats - other_stats)[:, 0]
    for p, other_prediction, gain in zip(candidate, other, gains, strict=True):
        if abs(gain) > MIN_GAIN:
            evidence = _flip_evidence(p, other_prediction)
            if not metric.binary:
                evidence = f"{gain:+.3f}, {shorten(p.expected, 24)!r} expected: {evidence}"
            yield Finding(p.row, p.line, "gained" if gain > 0 else "lost", evidence)


def _flip_evidence(new: Prediction, old: Prediction) -> str:
    old_text, new_text = shorten(_answer_text(old), 24), shorten(_answer_text(new), 24)
    return f"{old_text!r} became {new_text!r} for: {shorten(new.prompt, 60)}"


def _answer_text(p: Prediction) -> str:
    return "(no answer)" if p.error else p.got
