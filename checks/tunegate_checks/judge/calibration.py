"""Calibrate judges against human labels, and mark the scores of others as advisory.

A judge may gate where its kappa with human labels is high enough and, for comparisons, where enough
verdicts stay when the order of the answers is swapped. Both are measured in every session, on
answers from the cache: no calibration is stale.
"""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import StrictBool, StrictInt, ValidationError

from tunegate.config.schema import Section, explain_error
from tunegate.errors import ConfigError
from tunegate.models.predict import JudgePanel
from tunegate.results.score import Score, Unmeasurable, format_value
from tunegate.utils.strict_json import parse_strict

from .ballots import JUDGE_ERROR
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
    """The labels of a file, of both kinds."""

    graded: list[HumanLabel]
    compared: list[HumanLabel]


def load_human_labels(path: Path, rubric: Rubric) -> HumanLabels:
    """Read the labels by this rubric from JSONL; ConfigError names file, line and what is valid.

    An answer with two labels is an error: kappa would count it as two independent answers.
    """
    __tracebackhide__ = True
    try:
        text = path.read_bytes().decode("utf-8")
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
    return HumanLabels(graded, compared)


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


# From human labels to the judges' agreement with them, and the errors of those not judged.
Measure = Callable[[HumanLabels], tuple[Score, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether a judge may gate."""

    reason: str  # why not; "" where it may
    measured: str = ""  # such as "kappa 0.82 (0.64 to 1.00) with 40 human labels"


class JudgedScore(Score):
    """A Score by a judge; an advisory one compared with a limit raises Unmeasurable: ask first."""

    calibration: Calibration

    @classmethod
    def of(cls, score: Score, calibration: Calibration, errors: Sequence[str] = ()) -> Self:
        """Return a score with its calibration, which its name and signature name too.

        It is NaN where every row has one of the `errors`, and some are the judge's.
        """
        first = next((error for error in errors if error.startswith(JUDGE_ERROR)), "")
        if first and all(errors):
            hint = f"no verdict on any of {len(errors):,} replies, the first: {first}"
            score = Score(math.nan, name=score.name, n=score.n, hints=(hint,))
        judged_score = cls(score)
        judged_score.__dict__.update(score.__dict__, calibration=calibration)
        measured_text = calibration.measured
        if calibration.reason:
            measured_text = f"advisory: {calibration.reason}"
            judged_score.name = f"{score.name}, advisory"
            judged_score.hints += (f"gates nothing: {calibration.reason}",)
        judged_score.signature = f"{measured_text}|{score.signature}"
        judged_score.detail = "\n".join(filter(None, (measured_text, score.detail)))
        return judged_score

    @property
    def advisory(self) -> bool:
        """Whether this gates nothing; then asking records an outcome, which the session shows."""
        if not self.calibration.reason:
            return False
        super()._compare(None, operator.ge, ">=")  # None: compared with no limit
        return True

    def _compare(self, other: object, compare: Callable[[float, float], bool], sign: str) -> Any:
        __tracebackhide__ = True
        is_limit = isinstance(other, int | float) and not isinstance(other, Score)
        if self.calibration.reason and is_limit:
            fault = f"{self.name}: no limit can be held to it\n{self.calibration.reason}"
            raise Unmeasurable(f"{fault}\nhold it to a limit only `if not judged.advisory`")
        return super()._compare(other, compare, sign)


def calibrate(rubric: Rubric, panel: JudgePanel, measure: Measure) -> Calibration:
    """Return whether these judges agree with people enough; ConfigError for unreadable labels.

    `measure` puts the labels to the judges, and returns the agreement and the errors by label.
    """
    __tracebackhide__ = True
    if panel.labels is None:
        return Calibration("no human labels; name a file of them: [judge] labels")
    human_labels = load_human_labels(panel.labels, rubric)
    agreement, errors = measure(human_labels)
    interval_text = f"{float(agreement):.2f} ({agreement.low:.2f} to {agreement.high:.2f})"
    measured = f"kappa {interval_text} with {agreement.n:,} human labels"
    if errors:
        measured += f", {len(errors):,} of them unjudged"
    return Calibration(_not_calibrated(agreement, measured, errors, panel), measured)


def _not_calibrated(agreement: Score, shown: str, errors: Sequence[str], panel: JudgePanel) -> str:
    """Say why a judge with this agreement may not gate; "" where it may."""
    if agreement.n < panel.fewest_labels:
        return f"{agreement.n:,} human labels for it, {panel.fewest_labels:,} are needed"
    if len(errors) == agreement.n:
        return f"none of {agreement.n:,} human labels could be judged: {errors[0]}"
    if math.isnan(agreement):
        return f"the {agreement.n:,} human labels are all alike: they cannot show agreement"
    if float(agreement) < panel.kappa - 1e-9:  # 0.4 comes out of floats as 0.39999999999999997
        first_error = f"; the first such: {errors[0]}" if errors else ""
        return f"{shown}, {panel.kappa:g} is needed{first_error}"
    return ""


def with_swap_consistency(calibration: Calibration, score: Score, panel: JudgePanel) -> Calibration:
    """Return the calibration of comparisons, which also takes a swap consistency high enough."""
    kept = f"swap consistency {format_value(score, True)} of {score.n:,}"
    if calibration.reason or score.n == 0:
        return calibration
    if float(score) < panel.swap_consistency:
        return replace(calibration, reason=f"{kept}, {panel.swap_consistency:.0%} is needed")
    return replace(calibration, measured=f"{calibration.measured}; {kept}")
