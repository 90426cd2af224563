"""A judge's answer, read strictly: one JSON object by the schema, or the reason why it is none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tunegate.strictjson import Unreadable, parse

from .rubric import Marks, Rubric

BETTER = ("a", "b", "tie")
_BLOCK = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL | re.IGNORECASE)


class Unusable(ValueError):
    """A judge's answer that is not what was asked for; the message says what is wrong."""


def marks(text: str, rubric: Rubric) -> tuple[Marks, str]:
    """Return the marks and the reason; raises Unusable."""
    if rubric.scale:
        body = _fields(text, "score")
        return {"score": _score(body["score"], *rubric.scale)}, str(body["reason"])
    body = _fields(text, "verdicts")
    return _verdicts(body["verdicts"], [c.id for c in rubric.criteria]), str(body["reason"])


def better(text: str) -> tuple[str, str]:
    """Return which answer is better, "a", "b" or "tie", and the reason; raises Unusable."""
    body = _fields(text, "better")
    if body["better"] not in BETTER:
        raise Unusable(f"better is {_shown(body['better'])}; valid: {', '.join(BETTER)}")
    return str(body["better"]), str(body["reason"])


def _fields(text: str, verdict: str) -> Mapping[str, Any]:
    block = _BLOCK.fullmatch(text.strip())  # many models cannot help it: one block, nothing around
    try:
        value = parse(block.group(1) if block else text.strip())
    except Unreadable as error:
        raise Unusable(str(error).partition(" (line ")[0]) from None
    body = _exactly(value, ["reason", verdict], "the answer")
    if not isinstance(body["reason"], str):
        raise Unusable(f"reason is {_shown(body['reason'])}; a text is needed")
    return body


def _verdicts(value: Any, ids: Sequence[str]) -> Marks:
    said = _exactly(value, ids, "verdicts")
    for criterion in ids:
        if not isinstance(said[criterion], bool):
            raise Unusable(f"verdicts.{criterion} is {_shown(said[criterion])}; valid: true, false")
    return said


def _score(value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Unusable(f"score is {_shown(value)}; valid: a whole number, {low} to {high}")
    return value


def _exactly(value: Any, keys: Sequence[str], what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unusable(f"{what} is {_shown(value)}; an object with {', '.join(keys)} is needed")
    if lacking := [key for key in keys if key not in value]:
        raise Unusable(f"{what} lacks {lacking[0]!r}; needed: {', '.join(keys)}")
    if extra := [key for key in value if key not in keys]:
        raise Unusable(f"{what} holds {_shown(extra[0])} too; needed: {', '.join(keys)}, no more")
    return value


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
