"""Extraction: the stated rule by which a label is read out of an answer, and out of what was
expected alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .predictions import Prediction

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
        from .strictjson import Unreadable, parse_strict

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
