"""Predictions as labels: what was expected and what was answered, read by one stated rule."""

from __future__ import annotations

from dataclasses import dataclass

from .extraction import LabelRule
from .findings import Finding, Findings
from .predictions import Prediction, Predictions


@dataclass(frozen=True, slots=True)
class LabelledPrediction:
    """A prediction and its two labels; `got` is None without an answer, or one in the answer."""

    prediction: Prediction
    expected: str
    got: str | None

    @property
    def right(self) -> bool:
        """Whether the answer's label is the expected one."""
        return self.got == self.expected


def label_predictions(predictions: Predictions, rule: LabelRule) -> list[LabelledPrediction]:
    """Read the labels of all predictions; an answer that cannot be parsed has none.

    Raises ValueError for an expected reply that the rule cannot read: that is a fault of the test
    set, or of the rule, and not of the model.
    """
    __tracebackhide__ = True
    rows = []
    for p in predictions:
        expected = rule.read(p.expected)
        if expected is None:
            reply = shorten(p.expected, 40)
            raise ValueError(
                f"test line {p.line}: no label in the expected reply {reply!r} ({rule.name}); "
                f"correct the row, or `label` in the configuration"
            )
        rows.append(LabelledPrediction(p, expected, None if p.error else rule.read(p.got)))
    return rows


def wrong_labels(predictions: Predictions, rule: LabelRule) -> Findings:
    """Return every answer that is not the expected label; those without one say why."""
    findings = (_wrong_label(row) for row in label_predictions(predictions, rule) if not row.right)
    return Findings("misses", findings, split="test", n=len(predictions))


def _wrong_label(row: LabelledPrediction) -> Finding:
    p = row.prediction
    if p.error:
        return Finding(p.row, p.line, "no answer", p.error)
    if row.got is None:
        message = f"got {shorten(p.got, 30)!r}, not {row.expected!r}"
        return Finding(p.row, p.line, "unparseable", f"{message}, for: {shorten(p.prompt, 60)}")
    message = f"got {shorten(row.got, 30)!r}"
    return Finding(p.row, p.line, row.expected, f"{message} for: {shorten(p.prompt, 60)}")


def shorten(text: str, width: int) -> str:
    """Return a text on one line, cut to a width."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."
