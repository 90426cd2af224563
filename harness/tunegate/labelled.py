"""Predictions as labels: what was expected and what was answered, read by one stated rule."""

from __future__ import annotations

from dataclasses import dataclass

from .extraction import Rule
from .findings import Finding, Findings
from .predictions import Prediction, Predictions


@dataclass(frozen=True, slots=True)
class Labelled:
    """A prediction and its two labels; `got` is None without an answer, or one in the answer."""

    prediction: Prediction
    expected: str
    got: str | None

    @property
    def right(self) -> bool:
        """Whether the answer's label is the expected one."""
        return self.got == self.expected


def labelled(predictions: Predictions, rule: Rule) -> list[Labelled]:
    """Read the labels of all predictions; an answer that cannot be parsed has none.

    Raises ValueError for an expected reply that the rule cannot read: that is a fault of the test
    set, or of the rule, and not of the model.
    """
    __tracebackhide__ = True
    rows = []
    for p in predictions:
        expected = rule.read(p.expected)
        if expected is None:
            said = shortened(p.expected, 40)
            raise ValueError(
                f"test line {p.line}: no label in the expected reply {said!r} ({rule.name}); "
                f"correct the row, or `label` in the configuration"
            )
        rows.append(Labelled(p, expected, None if p.error else rule.read(p.got)))
    return rows


def misses(predictions: Predictions, rule: Rule) -> Findings:
    """Return every answer that is not the expected label; those without one say why."""
    found = (_miss(row) for row in labelled(predictions, rule) if not row.right)
    return Findings("misses", found, split="test", n=len(predictions))


def _miss(row: Labelled) -> Finding:
    p = row.prediction
    if p.error:
        return Finding(p.row, p.line, "no answer", p.error)
    if row.got is None:
        got = f"got {shortened(p.got, 30)!r}, not {row.expected!r}"
        return Finding(p.row, p.line, "unparseable", f"{got}, for: {shortened(p.prompt, 60)}")
    got = f"got {shortened(row.got, 30)!r}"
    return Finding(p.row, p.line, row.expected, f"{got} for: {shortened(p.prompt, 60)}")


def shortened(text: str, width: int) -> str:
    """Return a text on one line, cut to a width."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."
