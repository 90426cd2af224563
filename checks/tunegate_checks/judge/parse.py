"""Parse the answer of a judge strictly: one JSON object that follows the schema, or an error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tunegate.utils.strict_json import Unreadable, parse_strict
from tunegate.utils.text import cut

from .rubric import Marks, Rubric

BETTER_VALUES = ("a", "b", "tie")
_CODE_BLOCK = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL | re.IGNORECASE)


class UnusableAnswer(ValueError):
    """A judge's answer does not follow the schema; the message says where."""


def parse_marks(text: str, rubric: Rubric) -> tuple[Marks, str]:
    """Return the marks and the reason; raises UnusableAnswer."""
    if rubric.scale:
        body = _answer_fields(text, "score")
        score, (low, high) = body["score"], rubric.scale
        if not isinstance(score, int) or isinstance(score, bool) or not low <= score <= high:
            raise UnusableAnswer(
                f"score is {cut(ascii(score), 60)}; valid: a whole number, {low} to {high}"
            )
        return {"score": score}, str(body["reason"])
    body = _answer_fields(text, "verdicts")
    ids = [c.id for c in rubric.criteria]
    verdicts = _require_keys(body["verdicts"], ids, "verdicts")
    for criterion in ids:
        if not isinstance(verdicts[criterion], bool):
            raise UnusableAnswer(
                f"verdicts.{criterion} is {cut(ascii(verdicts[criterion]), 60)}; valid: true, false"
            )
    return verdicts, str(body["reason"])


def parse_better(text: str) -> tuple[str, str]:
    """Return which answer is better, "a", "b" or "tie", and the reason; raises UnusableAnswer."""
    body = _answer_fields(text, "better")
    if body["better"] not in BETTER_VALUES:
        raise UnusableAnswer(
            f"better is {cut(ascii(body['better']), 60)}; valid: {', '.join(BETTER_VALUES)}"
        )
    return str(body["better"]), str(body["reason"])


def _answer_fields(text: str, verdict: str) -> Mapping[str, Any]:
    """Return the answer's object, which has a reason and the key `verdict` and no other."""
    # Many models write the object in a code block, whatever the prompt says.
    block = _CODE_BLOCK.fullmatch(text.strip())
    try:
        value = parse_strict(block.group(1) if block else text.strip())
    except Unreadable as error:
        raise UnusableAnswer(str(error).partition(" (line ")[0]) from None
    body = _require_keys(value, ["reason", verdict], "the answer")
    if not isinstance(body["reason"], str):
        raise UnusableAnswer(f"reason is {cut(ascii(body['reason']), 60)}; a text is needed")
    return body


def _require_keys(value: Any, keys: Sequence[str], name: str) -> Mapping[str, Any]:
    """Return an object that has exactly these keys; raises UnusableAnswer for anything else."""
    if not isinstance(value, dict):
        raise UnusableAnswer(
            f"{name} is {cut(ascii(value), 60)}; an object with {', '.join(keys)} is needed"
        )
    if missing := [key for key in keys if key not in value]:
        raise UnusableAnswer(f"{name} lacks {missing[0]!r}; needed: {', '.join(keys)}")
    if extra := [key for key in value if key not in keys]:
        raise UnusableAnswer(
            f"{name} holds {cut(ascii(extra[0]), 60)} too; needed: {', '.join(keys)}, no more"
        )
    return value
