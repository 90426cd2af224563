"""Defines the dataset: immutable examples as chat messages, and how their fields are read."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..results.finding import Finding, Items, Located
from ..results.labels import LabelRule, exact
from ..utils.files import sha256_bytes
from . import canonical
from .formats.pairs import rejected_in
from .json_lines import is_table_data, read_json_rows, select_split, unread_rows
from .row_schema import flat_names, flat_row
from .tables import hf_json_lines, read_saved, read_table_rows

if TYPE_CHECKING:
    import pandas as pd

# Fields that say if a reply is wanted: our own, those of TRL, ms-swift, LLaMA-Factory, of feedback.
DESIRABLE_FIELDS = ("desirable", "label", "kto_tag", "is_good", "accepted", "approved", "correct")
# Fields that say how good a row is, by the names that UltraFeedback, OpenAssistant and others use.
SCORE_FIELDS = ("score", "scores", "rating", "reward", "quality", "score_chosen", "chosen_score")


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rows of a project are read; it can be pickled with them."""

    label: LabelRule = exact  # how a label is read from a reply
    # Fields of which the first that a row has names its group (one user, document, conversation);
    # dots lead into objects. ("parent", "id") puts generated rows with what they were made of.
    group_by: tuple[str, ...] = ()
    time_by: str = ""  # the field with the time of a row; "" for none
    ignore: tuple[str, ...] = ()  # fields that could change what a row means, and do not here
    references: str = "references"  # the field with other right replies, a text or several


def value_at(path: str, fields: Mapping[str, Any]) -> Any:
    """Return the value of a field, or what dots lead to in nested objects; None where it lacks."""
    if path in fields:
        return fields[path]
    value: Any = fields
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def number_of(value: Any) -> float | None:
    """Return a value that is a number; None for any other, true and false too."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


PLAIN_READING = Reading()


@dataclass(frozen=True)
class Example(Located):
    """One row of a dataset."""

    row: int  # the index in the dataset, from 0
    line: int  # the first line of the row in its file, from 1
    fields: Mapping[str, Any] = field(repr=False)  # `messages` is always there
    # How labels, groups and times are read from the fields.
    reading: Reading = field(default=PLAIN_READING, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the row is made of, without what was computed from it."""
        return type(self), (self.row, self.line, self.fields, self.reading)

    @cached_property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """The messages, each with a `role`, and `content` as text, parts or None."""
        messages: Sequence[Mapping[str, Any]] = self.fields["messages"]
        return messages

    @property
    def given(self) -> Sequence[Mapping[str, Any]]:
        """The messages before the reply; all of them if the last is not of the assistant."""
        ends_on_reply = self.messages and self.messages[-1]["role"] == "assistant"
        return self.messages[:-1] if ends_on_reply else self.messages

    @cached_property
    def system(self) -> str:
        """The text of the system message (or `developer`), "" where there is none."""
        return _joined(m for m in self.messages if m["role"] in ("system", "developer"))

    @cached_property
    def reply(self) -> str:
        """The text of the last message if its role is `assistant`; else ""."""
        last = self.messages[-1] if self.messages else None
        return canonical.content_text(last) if last and last["role"] == "assistant" else ""

    @cached_property
    def prompt(self) -> str:
        """The text of everything between the system message and the reply."""
        return _joined(m for m in self.given if m["role"] not in ("system", "developer"))

    @property
    def context(self) -> str:
        """All that the model is given, tools and media too, as JSON: equal for equal ones alone."""
        turns = canonical.canonical_turns(self.given)
        return canonical.to_json([turns, canonical.given_fields(self.fields)])

    @cached_property
    def setting(self) -> str:
        """The tools, pictures and sound of the row, and its earlier calls, as JSON; "" for none.

        Rows that ask the same about different pictures are no copies: settings are compared first.
        """
        calls = [call for message in self.given for call in canonical.calls_of(message)]
        given, parts = canonical.given_fields(self.fields), canonical.non_text_json(self.given)
        setting = [given, parts, calls, *filter(None, canonical.part_tools(self.system)[1:])]
        return canonical.to_json(setting) if any(setting) else ""

    @cached_property
    def target(self) -> canonical.Target:
        """What the model must answer: text, tool calls or a refusal, with the reasoning apart."""
        has_reply = len(self.given) < len(self.messages)
        return canonical.target_of(self.messages[-1]) if has_reply else canonical.Target()

    @cached_property
    def label(self) -> str:
        """The label of the reply by the project's rule, "" for none; by default, all of it."""
        return self.reading.label.read(self.target.text) or ""

    @property
    def labels(self) -> list[str]:
        """The labels of the reply: its one label, or those of a set; empty for none."""
        return self.reading.label.parts(self.label) if self.label else []

    @property
    def references(self) -> tuple[str, ...]:
        """Other replies that are as right as the row's own, by the project's `references`."""
        value = value_at(self.reading.references, self.fields)
        values = value if isinstance(value, list) else [value]
        return tuple(text for text in values if isinstance(text, str))

    @property
    def group(self) -> str:
        """What must stay in one split with other rows of the same group; "" for none."""
        values = (value_at(name, self.fields) for name in self.reading.group_by)
        return next((str(value) for value in values if value is not None and value != ""), "")

    @property
    def time(self) -> float | None:
        """The time by `data.time_by`: a number as it is, an ISO 8601 text as seconds since 1970."""
        value = value_at(self.reading.time_by, self.fields) if self.reading.time_by else None
        if isinstance(value, bool) or value is None:
            return None
        with suppress(TypeError, ValueError):
            return float(value)
        with suppress(ValueError):
            moment = datetime.fromisoformat(str(value).strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return None

    @property
    def desirable(self) -> bool | None:
        """Whether the reply is good, by the first of `DESIRABLE_FIELDS` that is a boolean (KTO)."""
        marks = (self.fields.get(name) for name in DESIRABLE_FIELDS)
        return next((mark for mark in marks if isinstance(mark, bool)), None)

    @property
    def weight(self) -> float:
        """The field `weight` of the row; 1 where there is none."""
        weight = number_of(self.fields.get("weight"))
        return 1.0 if weight is None else weight

    @property
    def text(self) -> str:
        """Prompt and reply, without the system message, which most rows share."""
        return f"{self.prompt}\n{self.reply}".strip("\n")


def _joined(messages: Iterator[Mapping[str, Any]]) -> str:
    return "\n".join(canonical.content_text(m) for m in messages)


class Dataset(Items[Example]):
    """The examples of one split.

    `problems` has a finding for each row that cannot be read, and a hint for each other format
    (Alpaca, ShareGPT, a table) that was converted to messages.
    """

    # Of some rows of a dataset, the system messages that rows before them have too (see
    # `tunegate.checking.parallel`); a check that looks at each system message only once skips them.
    earlier_messages: Sequence[Mapping[str, Any]] = ()

    def __init__(
        self,
        examples: Sequence[Example],
        *,
        split: str = "",  # "train", "validation" or "test"; "" for any other file
        path: Path | str = "",  # the file that the examples were read from
        digest: str = "",  # the sha256 of the file's bytes, in hex
        problems: Sequence[Finding] = (),
        columns: Mapping[str, str] | None = None,  # the mapping of a table; none for JSON
        reading: Reading = PLAIN_READING,  # how the project reads labels, groups and times
    ) -> None:
        self.items, self.reading = tuple(examples), reading
        self.split, self.path, self.digest = split, Path(path), digest
        self.problems, self.columns = tuple(problems), dict(columns or {})

    @classmethod
    def read(
        cls, path: Path | str, split: str = "", columns: Mapping[str, str] | None = None,
        reading: Reading = PLAIN_READING,
    ) -> Dataset:  # fmt: skip
        """Read a file: JSONL, JSON, CSV or Parquet, in any of the formats of `data.formats`.

        Of one JSON object of splits, and of a folder that Hugging Face's `save_to_disk` wrote, the
        split is read. `columns`, such as `{"prompt": "text", "reply": "category"}`, maps the fields
        of other shapes. A row that cannot be read is in `problems`. A snapshot, which is named
        after its sha256, must have it: what is verified are the bytes that are read here.

        Raises OSError where the file cannot be read, ValueError where `columns` does not fit it,
        the folder is no data set, or a snapshot was changed.
        """
        path = Path(path)
        dataset = cls.parse(read_saved(path, split), split, path, columns, reading)
        if re.fullmatch("[0-9a-f]{64}", path.stem) and dataset.digest != path.stem:
            raise ValueError(f"snapshot {path} was changed: its digest is {dataset.digest}")
        return dataset

    @classmethod
    def parse(
        cls, data: bytes, split: str = "", path: Path | str = "",
        columns: Mapping[str, str] | None = None, reading: Reading = PLAIN_READING,
    ) -> Dataset:  # fmt: skip
        """Read a dataset from the bytes of a file, as `read` does."""
        whole, data = data, select_split(data, split)
        unread = unread_rows(whole, split) if data is not whole else []
        is_table = is_table_data(data, Path(path), mapped=bool(columns))
        rows, problems = (read_table_rows if is_table else read_json_rows)(data, columns or {})
        examples = [Example(i, line, fields, reading) for i, (line, fields) in enumerate(rows)]
        return cls(
            examples, split=split, path=path, digest=sha256_bytes(data),
            problems=[*unread, *problems], columns=columns, reading=reading,
        )  # fmt: skip

    @property
    def identity(self) -> str:
        """The digest of the rows: that of the bytes, with the mapping if columns were mapped."""
        if not self.columns:
            return self.digest
        return sha256_bytes(repr([self.digest, *sorted(self.columns.items())]).encode())

    @classmethod
    def of(
        cls, rows: Sequence[Mapping[str, Any]], split: str = "", reading: Reading = PLAIN_READING
    ) -> Dataset:
        """Make a dataset from rows in memory, or from a `datasets.Dataset` of Hugging Face."""
        return cls.parse(hf_json_lines(rows), split, reading=reading)

    def drawn(self, n: int, seed: int | str = 0, before: int = 0) -> Dataset:
        """Return n rows drawn by a seed, less the first `before`; their order and digest stay."""
        order = random.Random(seed).sample(range(len(self)), len(self))
        return Dataset(
            [self[row] for row in sorted(order[before:n])], split=self.split, path=self.path,
            digest=self.digest, problems=self.problems, columns=self.columns, reading=self.reading,
        )  # fmt: skip

    def without_rejected(self) -> list[Example]:
        """Return the examples that have no rejected reply."""
        return [example for example in self if rejected_reply(example) is None]

    @property
    def frame(self) -> pd.DataFrame:
        """A new table of the rows, with the columns of `data.row_schema`."""
        import pandas as pd

        rows = list(map(flat_row, self))
        return pd.DataFrame({name: [row.get(name) for row in rows] for name in flat_names(rows)})

    def __repr__(self) -> str:
        count = sum(not problem.hint for problem in self.problems)
        problems = f", {count:,} problems" if count else ""
        return f"<{self.split or 'dataset'}: {len(self):,} examples{problems}, {self.digest[:12]}>"


def rejected_reply(example: Example) -> Mapping[str, Any] | None:
    """Return the message of a row's rejected reply; None if the row has no preference."""
    return rejected_in(example.fields)


def rejected_messages(example: Example) -> Sequence[Mapping[str, Any]]:
    """Return the messages with the rejected reply as the last; empty without a preference."""
    reply = rejected_reply(example)
    return [*example.messages[:-1], reply] if reply is not None else []


def preference_sides(example: Example) -> list[Example]:
    """Return the row; if it has a rejected reply, also the row that ends with that reply."""
    if messages := rejected_messages(example):
        return [example, replace(example, fields={**example.fields, "messages": messages})]
    return [example]


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
            said = f"`{name}` is {min(numbers):g} to {max(numbers):g}, and rows of any {name} are"
            advice = f'where that is meant, write under [data]: ignore = ["{name}"]'
            yield Finding.dataset_hint("meaning", f"{said} trained on alike; {advice}")
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
    lacks = f"data.{key}: no row has a {'time in' if key == 'time_by' else 'field'} {named}"
    yield Finding.of_dataset("meaning", f"{lacks}; {valid_fields(dataset)}")


def valid_fields(dataset: Dataset, *others: str) -> str:
    """Return the names of fields that a setting may name: the rows' own, behind `others`."""
    names = [*others, *sorted({key for e in dataset for key in e.fields if key != "messages"})]
    return f"valid: {', '.join(names) or 'none'}"
