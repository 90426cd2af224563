"""Read rubrics from TOML files: the criteria or the scale that a judge marks replies by."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from tunegate.config.schema import Section, explain_error
from tunegate.errors import ConfigError
from tunegate.utils.files import sha256_json
from tunegate.utils.text import toml_error_text

Marks = Mapping[str, int]  # by criterion: met or not; on a scale "score": the number
MAX_SCALE_STEPS = 100


def _checked_id(text: str) -> str:
    if not text.isidentifier() or not text.isascii():
        raise ValueError("an id is ASCII letters, digits and _, such as `polite`")
    return text


def _checked_text(text: str) -> str:
    if not text.strip():
        raise ValueError("an empty text")
    return text.strip()


Id = Annotated[str, AfterValidator(_checked_id)]
Text = Annotated[str, AfterValidator(_checked_text)]


class Criterion(Section):
    """A question about a reply that is answered yes or no; yes is good."""

    id: Id
    question: Text
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class Rubric(Section):
    """What a judge marks by: yes/no `criteria`, or a `scale` with `anchors` that describe it."""

    name: Text
    instructions: Text
    reference: bool = False  # whether the judge sees the expected reply too
    criteria: tuple[Criterion, ...] = ()
    scale: tuple[int, int] | None = None
    anchors: dict[str, Text] = Field(default_factory=dict)
    pass_from: float | None = None  # the least score, or share of criteria weights (default: all)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if problem := next(self._problems(), ""):
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        if self.scale is None:
            if not (ids := [c.id for c in self.criteria]):
                yield "neither criteria nor a scale: write [[criteria]] tables, or scale = [1, 5]"
            if repeated := sorted({i for i in ids if ids.count(i) > 1}):
                yield f"two criteria have the id {repeated[0]!r}"
            if self.anchors:
                yield "anchors describe a scale: with criteria leave them out"
            if self.pass_from is not None and not 0 < self.pass_from <= 1:
                yield f"pass_from = {self.pass_from:g}: a share of the weights, above 0, at most 1"
            return
        low, high = self.scale
        if self.criteria:
            yield "both criteria and a scale: keep one, or write two rubrics"
        if not 1 <= high - low <= MAX_SCALE_STEPS:
            yield f"scale = [{low}, {high}]: the lowest score, then a higher one, as in [1, 5]"
        valid = [str(score) for score in range(low, high + 1)]
        if wrong := [key for key in self.anchors if key not in valid]:
            yield f"anchors.{wrong[0]}: not a score of the scale; valid: {low} to {high}"
        if not {valid[0], valid[-1]} <= set(self.anchors):
            yield f"[anchors] must say at least what {low} and {high} mean: judges guess otherwise"
        if self.pass_from is None or not low < self.pass_from <= high:
            yield f"pass_from: from which score on a reply passes, above {low}, at most {high}"

    @property
    def digest(self) -> str:
        """The SHA-256 of the rubric's values; comments and the order of keys have no effect."""
        return sha256_json(self.model_dump(mode="json"))

    def mark(self, marks: Marks) -> float:
        """Return the weight of the criteria that are met, as a share of all; or the score."""
        if self.scale:
            return float(marks["score"])
        met = sum(c.weight for c in self.criteria if marks[c.id])
        return met / sum(c.weight for c in self.criteria)

    def passes(self, marks: Marks) -> bool:
        """Tell whether a reply with these marks passes."""
        threshold = 1.0 if self.pass_from is None else self.pass_from
        return self.mark(marks) >= threshold - 1e-9  # weights are summed in floats

    def extremes(self) -> tuple[Marks, Marks]:
        """Return the worst and the best possible marks."""
        if self.scale:
            return {"score": self.scale[0]}, {"score": self.scale[1]}
        return {c.id: False for c in self.criteria}, {c.id: True for c in self.criteria}


def load_rubric(path: Path) -> Rubric:
    """Read a rubric; raises ConfigError naming the file, the key, and what is valid."""
    __tracebackhide__ = True
    try:
        return Rubric.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"the rubric {path} cannot be read: {error.strerror or error}") from None
    except ValidationError as error:
        lines = [f"{path}: {explain_error(e, Rubric)}" for e in error.errors()]
        raise ConfigError("\n".join(lines)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {toml_error_text(error)}") from None
