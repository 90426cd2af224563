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

VALID = 'valid: "exact", "json:FIELD" (json:category, json:result.label), "regex:PATTERN"'


@dataclass(frozen=True, slots=True)
class Rule:
    """How a label is read; `read` returns None where a text cannot be parsed by it."""

    name: str  # stands in the signature of every score
    read: Callable[[str], str | None] = field(repr=False, compare=False)

    def right(self, p: Prediction) -> bool:
        """Whether the label of an answer can be read, and is the expected one."""
        got = None if p.error else self.read(p.got)
        return got is not None and got == self.read(p.expected)


def _whole(text: str) -> str:
    return text.strip()


exact = Rule("label: the whole answer, white space around it aside", _whole)


def json_field(path: str) -> Rule:
    """Read one field of an answer that is, as a whole, a JSON object; dots lead further inside.

    A text is the label without white space around it; a number, true or false is written as JSON
    does. Anything else (no JSON, no such field, null, an object, an array) cannot be parsed.
    """
    if not path or not all(path.split(".")):
        raise ValueError(f"no field in json:{path}; {VALID}")

    def read(text: str) -> str | None:
        from .strictjson import Unreadable, parse

        try:
            value = parse(text)
        except Unreadable:
            return None
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str):
            return value.strip()
        return json.dumps(value) if isinstance(value, bool | int | float) else None

    return Rule(f"label: JSON field {path}", read)


def regex(pattern: str) -> Rule:
    r"""Read the first match of a regular expression: its first group, else all of it.

    `regex(r"label:\s*(\w+)")`. An answer without a match cannot be parsed. Raises ValueError for a
    pattern that is none.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}; {VALID}") from None
    if not pattern:
        raise ValueError(f"no pattern in regex:; {VALID}")

    def read(text: str) -> str | None:
        found = compiled.search(text)
        got = found and found.group(1 if compiled.groups else 0)
        return got.strip() if got is not None else None

    return Rule(f"label: regex {pattern}", read)


def rule(spec: str) -> Rule:
    """Return the rule that a configuration names; raises ValueError naming the valid forms."""
    form, colon, rest = spec.partition(":")
    if spec == "exact":
        return exact
    if colon and form == "json":
        return json_field(rest)
    if colon and form == "regex":
        return regex(rest)
    raise ValueError(f"no such rule; {VALID}")
