"""Read human labels of replies, which a judge is calibrated by, from a committed JSONL file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import StrictBool, StrictInt, ValidationError

from tunegate.config.schema import Section
from tunegate.config.settings import explain_error
from tunegate.errors import ConfigError
from tunegate.utils.hashing import sha256_bytes
from tunegate.utils.strict_json import parse_strict

from .prompt import Item, item_with_setting
from .rubric import Marks, Rubric

LINE_FORM = '{"prompt": "...", "answer": "...", "verdicts": {...}, "who": "..."}'
SIDE_NAMES = {"answer": "a", "other": "b", "tie": "tie"}


class Turn(Section):
    """A message that stood before the prompt."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str


class LabelLine(Section):
    """One line of the file: verdicts or a score on an answer, or which of two is better."""

    prompt: str
    answer: str
    reference: str = ""
    messages: tuple[Turn, ...] = ()
    context: str = ""
    verdicts: dict[str, StrictBool] | None = None
    score: StrictInt | None = None
    other: str | None = None
    better: Literal["answer", "other", "tie"] | None = None
    who: str = ""

    @property
    def key(self) -> str:
        """What is judged: two labels of a file differ in it."""
        return self.model_dump_json(include={"prompt", "answer", "other", "context", "messages"})


@dataclass(frozen=True, slots=True)
class HumanLabel:
    """The marks that a person gave to one answer, or which of two the person prefers."""

    item: Item
    marks: Marks = field(default_factory=dict)
    other: str = ""
    better: str = ""  # "a": the answer of the item, "b": `other`, or "tie"


@dataclass(frozen=True, slots=True)
class HumanLabels:
    """The labels of a file, of both kinds, and the SHA-256 of its bytes."""

    graded: list[HumanLabel]
    compared: list[HumanLabel]
    digest: str


def load_human_labels(path: Path, rubric: Rubric) -> HumanLabels:
    """Read the labels given by this rubric; raises ConfigError naming file, line and what is valid.

    An answer with two labels is an error: kappa would count it as two independent answers.
    """
    __tracebackhide__ = True
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"the human labels {path} cannot be read: {reason}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the human labels {path} are not UTF-8") from None
    first_line: dict[str, int] = {}
    labels: list[HumanLabel] = []
    for number, raw in enumerate(text.split("\n"), start=1):
        if not raw.strip():
            continue
        try:
            line = LabelLine.model_validate(parse_strict(raw, number))
            if first_line.setdefault(line.key, number) != number:
                raise ValueError(f"the same answer as in line {first_line[line.key]}; keep one")
            labels.append(_to_label(line, number, rubric))
        except ValidationError as invalid:
            first = invalid.errors()[0]
            # Not the value: a row can hold personal data.
            reason = explain_error(first, LabelLine, show_value=False)
            reason = reason if first["loc"] else "not an object"
            raise ConfigError(f"{path}, line {number}: {reason}; needed: {LINE_FORM}") from None
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from None
    graded, compared = ([x for x in labels if bool(x.better) == two] for two in (False, True))
    return HumanLabels(graded, compared, sha256_bytes(data))


def _to_label(line: LabelLine, number: int, rubric: Rubric) -> HumanLabel:
    """Return the label of a line; raises ValueError where the line does not fit the rubric."""
    given = [*(m.model_dump() for m in line.messages), {"role": "user", "content": line.prompt}]
    item = Item(number, line.prompt, line.answer, line.reference)
    item = item_with_setting(item, given, {"context": line.context})
    kinds = [line.verdicts is not None, line.score is not None, line.better is not None]
    if sum(kinds) != 1 or (line.other is None) != (line.better is None):
        raise ValueError(f"one of verdicts, score, or other with better; needed: {LINE_FORM}")
    if line.other is not None and line.better is not None:
        return HumanLabel(item, other=line.other, better=SIDE_NAMES[line.better])
    if rubric.scale:
        low, high = rubric.scale
        if line.score is None or not low <= line.score <= high:
            raise ValueError(f"the rubric {rubric.name!r} wants a score, {low} to {high}")
        return HumanLabel(item, {"score": line.score})
    ids = sorted(c.id for c in rubric.criteria)
    if sorted(line.verdicts or ()) != ids:
        raise ValueError(f"the rubric {rubric.name!r} wants verdicts on: {', '.join(ids)}")
    return HumanLabel(item, dict(line.verdicts or {}))
