"""Human labels: what people said of replies, in a committed JSONL file a judge is measured by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import StrictBool, StrictInt, ValidationError

from tunegate.config.schema import Section
from tunegate.config.settings import explain_error
from tunegate.errors import ConfigError
from tunegate.utils.hashing import sha256_bytes
from tunegate.utils.strict_json import Unreadable, parse_strict

from .prompt import Item
from .rubric import Marks, Rubric

LINE_FORM = '{"prompt": "...", "answer": "...", "verdicts": {...}, "who": "..."}'
SIDE_NAMES = {"answer": "a", "other": "b", "tie": "tie"}


class LabelLine(Section):
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
class GradedLabel:
    """What a person said of one answer."""

    item: Item
    marks: Marks


@dataclass(frozen=True, slots=True)
class ComparedLabel:
    """What a person said of two: "a" where the item's answer is better, "b" where the other is."""

    item: Item
    other: str
    better: str


@dataclass(frozen=True, slots=True)
class HumanLabels:
    """The labels of a file, of both kinds, and the sha256 of its bytes."""

    graded: list[GradedLabel]
    compared: list[ComparedLabel]
    digest: str


def load_human_labels(path: Path, rubric: Rubric) -> HumanLabels:
    """Read the labels given by this rubric; raises ConfigError naming file, line and what is valid.

    A reply that stands there twice is an error: to kappa it would be two independent replies.
    """
    __tracebackhide__ = True
    try:
        data = path.read_bytes()
        human_labels = list(_read_lines(data.decode("utf-8"), rubric))
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"the human labels {path} cannot be read: {reason}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the human labels {path} are not UTF-8") from None
    except _InvalidLine as invalid:
        raise ConfigError(f"{path}, {invalid}") from None
    graded = [label for label in human_labels if isinstance(label, GradedLabel)]
    compared = [label for label in human_labels if isinstance(label, ComparedLabel)]
    return HumanLabels(graded, compared, sha256_bytes(data))


class _InvalidLine(Exception):
    """A line that is no label."""


def _read_lines(text: str, rubric: Rubric) -> Iterator[GradedLabel | ComparedLabel]:
    first: dict[tuple[str, ...], int] = {}
    for number, raw in enumerate(text.split("\n"), start=1):
        if not raw.strip():
            continue
        line = _parse_line(raw, number)
        answer_key = (line.prompt, line.answer, *([line.other] if line.other is not None else []))
        if answer_key in first:
            raise _InvalidLine(
                f"line {number}: the same answer as in line {first[answer_key]}; keep one"
            )
        first[answer_key] = number
        try:
            yield _to_label(line, number, rubric)
        except ValueError as error:
            raise _InvalidLine(f"line {number}: {error}") from None


def _parse_line(raw: str, number: int) -> LabelLine:
    try:
        return LabelLine.model_validate(parse_strict(raw, number))
    except Unreadable as error:
        raise _InvalidLine(f"line {number}: {error}") from None
    except ValidationError as invalid:
        raise _InvalidLine(f"line {number}: {_error_text(invalid.errors()[0])}") from None


def _error_text(error: Any) -> str:
    if not error["loc"] or error["type"] == "missing":
        field = f"{error['loc'][0]} is missing" if error["loc"] else "not an object"
        return f"{field}; needed: {LINE_FORM}"
    # Not the value: a row can hold personal data.
    return explain_error(error, LabelLine, show_value=False)


def _to_label(line: LabelLine, number: int, rubric: Rubric) -> GradedLabel | ComparedLabel:
    item = Item(number, line.prompt, line.answer, line.reference)
    given_verdicts = [line.verdicts is not None, line.score is not None, line.better is not None]
    if sum(given_verdicts) != 1 or (line.other is None) != (line.better is None):
        raise ValueError(f"one of verdicts, score, or other with better; needed: {LINE_FORM}")
    if line.other is not None and line.better is not None:
        return ComparedLabel(item, line.other, SIDE_NAMES[line.better])
    return GradedLabel(item, _marks_of_line(line, rubric))


def _marks_of_line(line: LabelLine, rubric: Rubric) -> Marks:
    ids = sorted(c.id for c in rubric.criteria)
    if rubric.scale:
        low, high = rubric.scale
        if line.score is None or not low <= line.score <= high:
            raise ValueError(f"the rubric {rubric.name!r} wants a score, {low} to {high}")
        return {"score": line.score}
    if sorted(line.verdicts or ()) != ids:
        raise ValueError(f"the rubric {rubric.name!r} wants verdicts on: {', '.join(ids)}")
    return dict(line.verdicts or {})
