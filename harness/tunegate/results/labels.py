"""Extraction: the stated rule by which a label is read out of an answer, and out of what was
expected alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .finding import Finding, Findings
from .prediction import Prediction, Predictions

if TYPE_CHECKING:
    from .prediction import Prediction


VALID_RULES = 'valid: "exact", "json:FIELD" (json:category, json:result.label), "regex:PATTERN"'


@dataclass(frozen=True, slots=True)
class LabelRule:
    """How a label is read; `read` returns None where a text cannot be parsed by it."""

    name: str  # stands in the signature of every score
    read: Callable[[str], str | None] = field(repr=False, compare=False)

    def right(self, p: Prediction) -> bool:
        """Whether the label of an answer can be read, and is the expected one."""
        label = None if p.error else self.read(p.got)
        return label is not None and label == self.read(p.expected)


def _stripped(text: str) -> str:
    return text.strip()


exact = LabelRule("label: the whole answer, white space around it aside", _stripped)


def json_field(path: str) -> LabelRule:
    """Read one field of an answer that is, as a whole, a JSON object; dots lead further inside.

    A text is the label without white space around it; a number, true or false is written as JSON
    does. Anything else (no JSON, no such field, null, an object, an array) cannot be parsed.
    """
    if not path or not all(path.split(".")):
        raise ValueError(f"no field in json:{path}; {VALID_RULES}")

    def read_field(text: str) -> str | None:
        from ..utils.strict_json import Unreadable, parse_strict

        try:
            value = parse_strict(text)
        except Unreadable:
            return None
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str):
            return value.strip()
        return json.dumps(value) if isinstance(value, bool | int | float) else None

    return LabelRule(f"label: JSON field {path}", read_field)


def regex(pattern: str) -> LabelRule:
    r"""Read the first match of a regular expression: its first group, else all of it.

    `regex(r"label:\s*(\w+)")`. An answer without a match cannot be parsed. Raises ValueError for a
    pattern that is none.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}; {VALID_RULES}") from None
    if not pattern:
        raise ValueError(f"no pattern in regex:; {VALID_RULES}")

    def read_match(text: str) -> str | None:
        match = compiled.search(text)
        label = match and match.group(1 if compiled.groups else 0)
        return label.strip() if label is not None else None

    return LabelRule(f"label: regex {pattern}", read_match)


def label_rule(spec: str) -> LabelRule:
    """Return the rule that a configuration names; raises ValueError naming the valid forms."""
    kind, colon, rest = spec.partition(":")
    if spec == "exact":
        return exact
    if colon and kind == "json":
        return json_field(rest)
    if colon and kind == "regex":
        return regex(rest)
    raise ValueError(f"no such rule; {VALID_RULES}")


# [merged] Predictions as labels: what was expected and what was answered, read by one stated rule.


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
