"""The rule that reads a label from a reply, and predictions with their labels read by it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ..utils.text import shorten
from .finding import Findings
from .prediction import Prediction, Predictions

VALID_RULES = 'valid: "exact", "json:FIELD" (json:category, json:result.label), "regex:PATTERN"'


@dataclass(frozen=True, slots=True)
class LabelRule:
    """The one way a project reads labels; `read` returns None for a text that has none."""

    name: str  # part of the signature of every score
    read: Callable[[str], str | None] = field(repr=False, compare=False)

    def right(self, p: Prediction) -> bool:
        """Return whether an answer has a label, and the expected one."""
        label = None if p.error else self.read(p.got)
        return label is not None and label == self.read(p.expected)


exact = LabelRule("label: the whole answer, white space around it aside", str.strip)


def json_field(path: str) -> LabelRule:
    """Return the rule that reads one field of an answer that is a JSON object and nothing else.

    Dots in `path` lead into nested objects. A string is stripped; a number, true or false becomes
    its JSON text. Anything else (no JSON, no such field, null, an object, an array) is no label.
    Raises ValueError for an empty path.
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
    r"""Return the rule that reads the first match of a pattern: its first group, or all of it.

    `regex(r"label:\s*(\w+)")`. An answer without a match has no label. Raises ValueError for a
    pattern that is not a regular expression.
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


@dataclass(frozen=True, slots=True)
class LabelledPrediction:
    """A prediction and its two labels; `got` is None without an answer, or a label in it."""

    prediction: Prediction
    expected: str
    got: str | None

    @property
    def right(self) -> bool:
        """Whether the answer's label is the expected one."""
        return self.got == self.expected


def label_predictions(predictions: Predictions, rule: LabelRule) -> list[LabelledPrediction]:
    """Return all predictions with their labels.

    Raises ValueError for an expected reply without a label: a fault of the test set or the rule,
    not of the model.
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
    """Return a finding for each answer without the expected label.

    Its kind is the expected label, or "no answer", or "unparseable" where the answer has no label.
    """
    findings = []
    for row in label_predictions(predictions, rule):
        p, prompt = row.prediction, shorten(row.prediction.prompt, 60)
        if p.error:
            findings.append(p.finding("no answer", p.error))
        elif row.got is None:
            evidence = f"got {shorten(p.got, 30)!r}, not {row.expected!r}, for: {prompt}"
            findings.append(p.finding("unparseable", evidence))
        elif not row.right:
            evidence = f"got {shorten(row.got, 30)!r} for: {prompt}"
            findings.append(p.finding(row.expected, evidence))
    return Findings("misses", findings, split="test", n=len(predictions))
