"""Parse the answers of judges: the one JSON object with a verdict, whatever stands around it.

Models think first and explain, whatever the prompt says. What is read: the object of the schema
among other words, with other keys beside, without a reason, with a comma too many, as Python writes
it, and without `verdicts` around its criteria; true and false as yes, no, sim, não, 1 and 0; a
whole number as 4.0, "4", or "4/5" of 5. Two objects that say different things are no verdict.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tunegate.utils.strict_json import Unreadable, find_objects, parse_strict
from tunegate.utils.text import cut, split_reasoning

from .rubric import Marks, Rubric

T = TypeVar("T")

BETTER_VALUES = ("a", "b", "tie")
_TRUE, _FALSE = ("true", "yes", "sim", "1"), ("false", "no", "não", "nao", "0")
_WHOLE_NUMBER = re.compile(r"\s*(-?\d+)(?:\.0*)?\s*(?:/\s*(\d+)\s*)?")
_EXTRA_COMMA = re.compile(r",(?=\s*[}\]])")
_JSON_WORDS = {"'": '"', "True": "true", "False": "false", "None": "null"}
_PYTHON_WORD = re.compile(r"'|\b(?:True|False|None)\b")


class UnusableAnswer(ValueError):
    """A judge's answer holds no verdict by the schema; the message says where."""


def parse_marks(text: str, rubric: Rubric) -> tuple[Marks, str]:
    """Return the marks and the reason; raises UnusableAnswer."""
    ids = [c.id for c in rubric.criteria]

    def score_of(body: Mapping[str, Any]) -> Marks:
        (low, high), score = rubric.scale or (0, 0), body["score"]
        match = None if isinstance(score, bool) else _WHOLE_NUMBER.fullmatch(str(score))
        if not match or not low <= int(match[1]) <= high or match[2] not in (None, str(high)):
            raise _invalid("score", score, f"a whole number, {low} to {high}")
        return {"score": int(match[1])}

    def verdicts_of(body: Mapping[str, Any]) -> Marks:
        verdicts, marks = body.get("verdicts", body), {}
        _require_keys(verdicts, ids, "verdicts")
        for criterion in ids:
            word = str(verdicts[criterion]).strip().lower()
            if word not in _TRUE + _FALSE:
                raise _invalid(f"verdicts.{criterion}", verdicts[criterion], "true, false")
            marks[criterion] = word in _TRUE
        return marks

    return _read(text, "verdicts", ids, verdicts_of) if ids else _read(text, "score", [], score_of)


def parse_better(text: str) -> tuple[str, str]:
    """Return which answer is better, "a", "b" or "tie", and the reason; raises UnusableAnswer."""

    def better_of(body: Mapping[str, Any]) -> str:
        better = str(body["better"]).strip().lower()
        if better not in BETTER_VALUES:
            raise _invalid("better", body["better"], ", ".join(BETTER_VALUES))
        return better

    return _read(text, "better", [], better_of)


def _invalid(name: str, value: Any, valid: str) -> UnusableAnswer:
    return UnusableAnswer(f"{name} is {cut(ascii(value), 60)}; valid: {valid}")


def _read(
    text: str, verdict: str, ids: list[str], value_of: Callable[[Mapping[str, Any]], T]
) -> tuple[T, str]:
    """Return the verdict and the reason, of an object with the key `verdict`, or all of `ids`."""
    answer = split_reasoning(text)[1]
    try:
        # Without its key, what looks like a verdict can be the inside of one that was cut off.
        keys = ids if ids and verdict not in answer else [verdict]
        plain = _EXTRA_COMMA.sub("", answer)
        forms = answer, plain, _PYTHON_WORD.sub(lambda m: _JSON_WORDS[m[0]], plain)
        found = (find_objects(form, lambda body: any(k in body for k in keys)) for form in forms)
        bodies = next(filter(None, found), None) or [parse_strict(answer.strip())]
    except Unreadable as error:
        raise UnusableAnswer(str(error).partition(" (line ")[0]) from None
    for body in bodies:
        _require_keys(body, keys, "the answer")
    values = [value_of(body) for body in bodies]
    if any(value != values[0] for value in values):
        raise UnusableAnswer(f"{len(bodies)} objects with verdicts that differ; one is needed")
    reason = bodies[-1].get("reason")
    return values[-1], "" if reason is None else str(reason)


def _require_keys(value: Any, keys: list[str], name: str) -> None:
    """Raise UnusableAnswer for what is no object with these keys."""
    if not isinstance(value, dict):
        shown = cut(ascii(value), 60)
        raise UnusableAnswer(f"{name} is {shown}; an object with {', '.join(keys)} is needed")
    if missing := [key for key in keys if key not in value]:
        raise UnusableAnswer(f"{name} lacks {missing[0]!r}; needed: {', '.join(keys)}")
