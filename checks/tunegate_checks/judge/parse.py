"""A judge's answer, read strictly: one JSON object by the schema, or the reason why it is none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tunegate.utils.strict_json import Unreadable, parse_strict

from .rubric import Marks, Rubric

BETTER_VALUES = ("a", "b", "tie")
_CODE_BLOCK = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL | re.IGNORECASE)


class UnusableAnswer(ValueError):
    """A judge's answer that is not what was asked for; the message says what is wrong."""


def parse_marks(text: str, rubric: Rubric) -> tuple[Marks, str]:
    """Return the marks and the reason; raises Unusable."""
    if rubric.scale:
        body = _answer_fields(text, "score")
        return {"score": _parse_score(body["score"], *rubric.scale)}, str(body["reason"])
    body = _answer_fields(text, "verdicts")
    return _parse_verdicts(body["verdicts"], [c.id for c in rubric.criteria]), str(body["reason"])


def parse_better(text: str) -> tuple[str, str]:
    """Return which answer is better, "a", "b" or "tie", and the reason; raises Unusable."""
    body = _answer_fields(text, "better")
    if body["better"] not in BETTER_VALUES:
        raise UnusableAnswer(
            f"better is {_shorten_ascii(body['better'])}; valid: {', '.join(BETTER_VALUES)}"
        )
    return str(body["better"]), str(body["reason"])


def _answer_fields(text: str, verdict: str) -> Mapping[str, Any]:
    block = _CODE_BLOCK.fullmatch(
        text.strip()
    )  # many models cannot help it: one block, nothing around
    try:
        value = parse_strict(block.group(1) if block else text.strip())
    except Unreadable as error:
        raise UnusableAnswer(str(error).partition(" (line ")[0]) from None
    body = _require_keys(value, ["reason", verdict], "the answer")
    if not isinstance(body["reason"], str):
        raise UnusableAnswer(f"reason is {_shorten_ascii(body['reason'])}; a text is needed")
    return body


def _parse_verdicts(value: Any, ids: Sequence[str]) -> Marks:
    verdicts = _require_keys(value, ids, "verdicts")
    for criterion in ids:
        if not isinstance(verdicts[criterion], bool):
            raise UnusableAnswer(
                f"verdicts.{criterion} is {_shorten_ascii(verdicts[criterion])}; valid: true, false"
            )
    return verdicts


def _parse_score(value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UnusableAnswer(
            f"score is {_shorten_ascii(value)}; valid: a whole number, {low} to {high}"
        )
    return value


def _require_keys(value: Any, keys: Sequence[str], name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnusableAnswer(
            f"{name} is {_shorten_ascii(value)}; an object with {', '.join(keys)} is needed"
        )
    if missing := [key for key in keys if key not in value]:
        raise UnusableAnswer(f"{name} lacks {missing[0]!r}; needed: {', '.join(keys)}")
    if extra := [key for key in value if key not in keys]:
        raise UnusableAnswer(
            f"{name} holds {_shorten_ascii(extra[0])} too; needed: {', '.join(keys)}, no more"
        )
    return value


def _shorten_ascii(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
