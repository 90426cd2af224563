"""Human labels: what people said of replies, in a committed JSONL file a judge is measured by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import StrictBool, StrictInt, ValidationError

from tunegate.config import Section, explain
from tunegate.project import ConfigError
from tunegate.strictjson import Unreadable, parse

from .prompt import Item
from .rubric import Marks, Rubric

FORM = '{"prompt": "...", "answer": "...", "verdicts": {...}, "who": "..."}'
SIDES = {"answer": "a", "other": "b", "tie": "tie"}


class Line(Section):
    """One line of the file: verdicts or a score on an answer, or which of two is better."""

    prompt: str
    answer: str
    reference: str = ""
    verdicts: dict[str, StrictBool] | None = None
    score: StrictInt | None = None
    other: str | None = None
    better: Literal["answer", "other", "tie"] | None = None
    who: str = ""


@dataclass(frozen=True, slots=True)
class Graded:
    """What a person said of one answer."""

    item: Item
    marks: Marks


@dataclass(frozen=True, slots=True)
class Compared:
    """What a person said of two: "a" where the item's answer is better, "b" where the other is."""

    item: Item
    other: str
    better: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a file, of both kinds, and the sha256 of its bytes."""

    graded: list[Graded]
    compared: list[Compared]
    digest: str


def load(path: Path, rubric: Rubric) -> Labels:
    """Read the labels given by this rubric; raises ConfigError naming file, line and what is valid.

    A reply that stands there twice is an error: to kappa it would be two independent replies.
    """
    __tracebackhide__ = True
    try:
        data = path.read_bytes()
        found = list(_lines(data.decode("utf-8"), rubric))
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"the human labels {path} cannot be read: {why}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the human labels {path} are not UTF-8") from None
    except _Wrong as wrong:
        raise ConfigError(f"{path}, {wrong}") from None
    graded = [label for label in found if isinstance(label, Graded)]
    compared = [label for label in found if isinstance(label, Compared)]
    return Labels(graded, compared, hashlib.sha256(data).hexdigest())


class _Wrong(Exception):
    """A line that is no label."""


def _lines(text: str, rubric: Rubric) -> Iterator[Graded | Compared]:
    first: dict[tuple[str, ...], int] = {}
    for number, raw in enumerate(text.split("\n"), start=1):
        if not raw.strip():
            continue
        line = _line(raw, number)
        about = (line.prompt, line.answer, *([line.other] if line.other is not None else []))
        if about in first:
            raise _Wrong(f"line {number}: the same answer as in line {first[about]}; keep one")
        first[about] = number
        try:
            yield _label(line, number, rubric)
        except ValueError as error:
            raise _Wrong(f"line {number}: {error}") from None


def _line(raw: str, number: int) -> Line:
    try:
        return Line.model_validate(parse(raw, number))
    except Unreadable as error:
        raise _Wrong(f"line {number}: {error}") from None
    except ValidationError as invalid:
        raise _Wrong(f"line {number}: {_explained(invalid.errors()[0])}") from None


def _explained(error: Any) -> str:
    if not error["loc"] or error["type"] == "missing":
        field = f"{error['loc'][0]} is missing" if error["loc"] else "not an object"
        return f"{field}; needed: {FORM}"
    # Not the value: a row can hold personal data.
    if error["type"] != "extra_forbidden":
        return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"
    return explain(error, Line)


def _label(line: Line, number: int, rubric: Rubric) -> Graded | Compared:
    item = Item(number, line.prompt, line.answer, line.reference)
    said = [line.verdicts is not None, line.score is not None, line.better is not None]
    if sum(said) != 1 or (line.other is None) != (line.better is None):
        raise ValueError(f"one of verdicts, score, or other with better; needed: {FORM}")
    if line.other is not None and line.better is not None:
        return Compared(item, line.other, SIDES[line.better])
    return Graded(item, _marks(line, rubric))


def _marks(line: Line, rubric: Rubric) -> Marks:
    ids = sorted(c.id for c in rubric.criteria)
    if rubric.scale:
        low, high = rubric.scale
        if line.score is None or not low <= line.score <= high:
            raise ValueError(f"the rubric {rubric.name!r} wants a score, {low} to {high}")
        return {"score": line.score}
    if sorted(line.verdicts or ()) != ids:
        raise ValueError(f"the rubric {rubric.name!r} wants verdicts on: {', '.join(ids)}")
    return dict(line.verdicts or {})
