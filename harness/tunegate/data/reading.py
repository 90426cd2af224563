"""What a project's configuration says about the meaning of a row's fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..results.finding import Finding
from ..results.labels import LabelRule, exact

if TYPE_CHECKING:
    from .dataset import Dataset

# Fields that say whether a reply is wanted: our own, that of TRL and ms-swift, LLaMA-Factory's,
# those of people's feedback.
DESIRABLE_FIELDS = ("desirable", "label", "kto_tag", "is_good", "accepted", "approved", "correct")
# Fields that say how good a row is, by the names that UltraFeedback, OpenAssistant and others use.
SCORE_FIELDS = ("score", "scores", "rating", "reward", "quality", "score_chosen", "chosen_score")


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rows of a project are read; it can be pickled with them."""

    label: LabelRule = exact  # how a label is read from a reply
    # Fields of which the first that a row has names its group: rows of one user, document or
    # conversation. ("parent", "id") puts generated rows with what they were made of. Dots lead into
    # nested objects.
    group_by: tuple[str, ...] = ()
    time_by: str = ""  # the field with the time of a row; "" for none
    ignore: tuple[str, ...] = ()  # fields that could change what a row means, and do not here
    references: str = "references"  # the field with other right replies, a text or several

    def time_of(self, fields: Mapping[str, Any]) -> float | None:
        """Return the time of a row: a number as it is, an ISO 8601 text as seconds since 1970."""
        value = value_at(self.time_by, fields) if self.time_by else None
        if isinstance(value, bool) or value is None:
            return None
        with suppress(TypeError, ValueError):
            return float(value)
        try:
            moment = datetime.fromisoformat(str(value).strip())
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def value_at(path: str, fields: Mapping[str, Any]) -> Any:
    """Return the value of a field, or what dots lead to in nested objects; None where it lacks."""
    if path in fields:
        return fields[path]
    value: Any = fields
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def open_questions(dataset: Dataset) -> Iterator[Finding]:
    """Yield a finding for each field whose meaning decides what is trained on, until it is said.

    No trainer reads these fields: a reply that is marked as bad would be learnt like a good one.
    """
    reading, n = dataset.reading, len(dataset)
    bad = [e for e in dataset if e.desirable is False]
    if bad and not {*DESIRABLE_FIELDS} & {*reading.ignore}:
        name = next(name for name in DESIRABLE_FIELDS if bad[0].fields.get(name) is False)
        said = f"say by {name} = false that their reply is bad, and would be trained on as good"
        rows = f"{len(bad):,} of {n:,} rows (first: line {bad[0].line})"
        advice = f'take them out, or write under [data]: ignore = ["{name}"]'
        yield Finding.of_dataset("meaning", f"{rows} {said}: {advice}")
    weighed = [e for e in dataset if e.weight != 1]
    if weighed and "weight" not in reading.ignore:
        said = "have a `weight` other than 1, and rows are trained on alike"
        rows = f"{len(weighed):,} of {n:,} rows (first: line {weighed[0].line})"
        advice = 'take out what should count less, or write under [data]: ignore = ["weight"]'
        yield Finding.of_dataset("meaning", f"{rows} {said}: {advice}")
    for name in SCORE_FIELDS:
        numbers = [v for e in dataset if (v := number_of(e.fields.get(name))) is not None]
        if numbers and min(numbers) < max(numbers) and name not in reading.ignore:
            evidence = (
                f"`{name}` is {min(numbers):g} to {max(numbers):g}, and rows of any {name} are "
                f'trained on alike; where that is meant, write under [data]: ignore = ["{name}"]'
            )
            yield Finding.dataset_hint("meaning", evidence)
    yield from _unread_fields(dataset, "group_by", reading.group_by, [e.group for e in dataset])
    if reading.time_by:
        times = ["" if e.time is None else "time" for e in dataset]
        yield from _unread_fields(dataset, "time_by", [reading.time_by], times)


def _unread_fields(
    dataset: Dataset, key: str, names: Sequence[str], values: Sequence[str]
) -> Iterator[Finding]:
    """Yield a finding where a configured field is in no row, a hint where it lacks in some."""
    lacking = values.count("")
    if not names or not lacking or not len(dataset):
        return
    named = " or ".join(f"`{name}`" for name in names)
    if lacking < len(dataset):
        evidence = f"{lacking:,} of {len(dataset):,} rows have no {named} (data.{key})"
        yield Finding.dataset_hint("meaning", evidence)
        return
    own_fields = sorted({name for e in dataset for name in e.fields if name != "messages"})
    what = "time in" if key == "time_by" else "field"
    valid = ", ".join(own_fields) or "none"
    yield Finding.of_dataset("meaning", f"data.{key}: no row has a {what} {named}; valid: {valid}")


def number_of(value: Any) -> float | None:
    """Return a value that is a number; None for any other, true and false too."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None
