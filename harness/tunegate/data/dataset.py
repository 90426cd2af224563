"""Defines the dataset: immutable examples as chat messages, with the digest of their file."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..results.finding import Finding, Items, Located
from ..utils.hashing import sha256_bytes
from . import canonical
from .formats.preferences import rejected_in
from .hf_datasets import hf_json_lines, read_saved
from .json_lines import is_table_data, read_json_rows, select_split, unread_rows
from .reading import DESIRABLE_FIELDS, Reading, number_of, value_at
from .row_schema import flat_names, flat_row
from .tables import read_table_rows

if TYPE_CHECKING:
    import pandas as pd


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
        """All that the model is given, as canonical JSON: equal for identical contexts alone.

        The system message, earlier turns, tools, pictures, sound: see `data.canonical`.
        """
        turns = canonical.canonical_turns(self.given)
        return canonical.to_json([turns, canonical.given_fields(self.fields)])

    @cached_property
    def setting(self) -> str:
        """The tools, pictures and sound of the row, and its earlier calls, as JSON; "" for none.

        Two rows that ask the same about different pictures are no copies: the texts of two rows are
        compared only if their settings are equal.
        """
        calls = [call for message in self.given for call in canonical.calls_of(message)]
        setting = [canonical.given_fields(self.fields), canonical.non_text_json(self.given), calls]
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
        """The time of the row by the project's `time_by`; None for none."""
        return self.reading.time_of(self.fields)

    @property
    def desirable(self) -> bool | None:
        """Whether the reply is a good one, of the rows of KTO; None where the row does not say.

        It is the first of `DESIRABLE_FIELDS` that is true or false.
        """
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
        cls,
        path: Path | str,
        split: str = "",
        columns: Mapping[str, str] | None = None,
        reading: Reading = PLAIN_READING,
    ) -> Dataset:
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
        cls,
        data: bytes,
        split: str = "",
        path: Path | str = "",
        columns: Mapping[str, str] | None = None,
        reading: Reading = PLAIN_READING,
    ) -> Dataset:
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
        """Return n rows, drawn at random, the same ones for a seed, less the first `before`.

        They keep their order and their numbers, and the dataset its digest.
        """
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
        name = self.split or "dataset"
        return f"<{name}: {len(self):,} examples{problems}, {self.digest[:12]}>"


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
