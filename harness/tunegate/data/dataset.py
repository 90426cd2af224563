"""Defines the dataset: immutable examples as chat messages, with the digest of their file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..results.finding import Finding, Located
from ..utils.hashing import sha256_bytes
from .formats import rejected_in
from .json_lines import read_json_rows
from .tables import read_table_rows

if TYPE_CHECKING:
    import pandas as pd


SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Example(Located):
    """One row of a dataset.

    Attributes:
        row: The index in the dataset, from 0.
        line: The first line of the row in its file, from 1.
        fields: The row's fields; `messages` is always there.
    """

    row: int
    line: int
    fields: Mapping[str, Any] = field(repr=False)

    @cached_property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """The messages, each with a `role`, and `content` as text, parts or None."""
        messages: Sequence[Mapping[str, Any]] = self.fields["messages"]
        return messages

    @cached_property
    def system(self) -> str:
        """The text of the system message (or `developer`), "" where there is none."""
        return _joined(m for m in self.messages if m["role"] in ("system", "developer"))

    @cached_property
    def reply(self) -> str:
        """The text of the last message if its role is `assistant`; else ""."""
        last = self.messages[-1] if self.messages else None
        return content_text(last) if last and last["role"] == "assistant" else ""

    @cached_property
    def prompt(self) -> str:
        """The text of everything between the system message and the reply."""
        end = len(self.messages) - 1 if self.reply else len(self.messages)
        return _joined(m for m in self.messages[:end] if m["role"] not in ("system", "developer"))

    @property
    def label(self) -> str:
        """The reply without white space around it: the label of a classification task."""
        return self.reply.strip()

    @property
    def text(self) -> str:
        """Prompt and reply, without the system message, which most rows share."""
        return f"{self.prompt}\n{self.reply}".strip("\n")


def content_text(message: Mapping[str, Any]) -> str:
    """Return the text of a message; of a list of parts, the parts with a text, one on each line."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(p["text"]) for p in parts if isinstance(p, dict) and "text" in p)


def _joined(messages: Iterator[Mapping[str, Any]]) -> str:
    return "\n".join(content_text(m) for m in messages)


class Dataset(Sequence[Example]):
    """The examples of one split.

    Attributes:
        split: "train", "validation" or "test"; "" for any other file.
        path: The file that the examples were read from.
        digest: The sha256 of the file's bytes, in hex.
        problems: A finding for each row that cannot be read, and a hint for each other format
            (Alpaca, ShareGPT, a table) that was converted to messages.
        columns: The mapping of the columns of a table; empty for JSON.
        earlier_messages: Of some rows of a dataset, the system messages that rows before them have
            too (see `tunegate.checking.parallel`); a check that looks at each system message only
            once skips them.
    """

    earlier_messages: Sequence[Mapping[str, Any]] = ()

    def __init__(
        self,
        examples: Sequence[Example],
        *,
        split: str = "",
        path: Path | str = "",
        digest: str = "",
        problems: Sequence[Finding] = (),
        columns: Mapping[str, str] | None = None,
    ) -> None:
        self._examples = tuple(examples)
        self.split, self.path, self.digest = split, Path(path), digest
        self.problems, self.columns = tuple(problems), dict(columns or {})

    @classmethod
    def read(
        cls, path: Path | str, split: str = "", columns: Mapping[str, str] | None = None
    ) -> Dataset:
        """Read a file: JSONL or a JSON array, in any of the formats of `data.formats`.

        With `columns`, such as `{"prompt": "text", "reply": "category"}`, read CSV or Parquet. A
        row that cannot be read is in `problems`. A snapshot, which is named after its sha256, must
        have it: what is verified are the bytes that are read here.

        Raises:
            OSError: The file cannot be read.
            ValueError: `columns` does not fit the file, or a snapshot was changed.
        """
        path = Path(path)
        dataset = cls.parse(path.read_bytes(), split=split, path=path, columns=columns)
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
    ) -> Dataset:
        """Read a dataset from the bytes of a file, as `read` does."""
        rows, problems = read_table_rows(data, columns) if columns else read_json_rows(data)
        examples = [Example(i, line, fields) for i, (line, fields) in enumerate(rows)]
        digest = sha256_bytes(data)
        return cls(
            examples, split=split, path=path, digest=digest, problems=problems, columns=columns
        )

    @property
    def identity(self) -> str:
        """The digest of the rows: that of the bytes, with the mapping if columns were mapped."""
        if not self.columns:
            return self.digest
        return sha256_bytes(repr([self.digest, *sorted(self.columns.items())]).encode())

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], split: str = "") -> Dataset:
        """Make a dataset from rows in memory, for notebooks and tests."""
        import json

        return cls.parse("\n".join(map(json.dumps, rows)).encode(), split=split)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | Sequence[Example]:
        return self._examples[index]

    def __len__(self) -> int:
        return len(self._examples)

    def without_rejected(self) -> list[Example]:
        """Return the examples that have no rejected reply."""
        return [example for example in self if rejected_reply(example) is None]

    @property
    def frame(self) -> pd.DataFrame:
        """A new table: line, system, prompt, reply, label, and the rows' own fields."""
        import pandas as pd

        columns = ("line", "system", "prompt", "reply", "label")
        table = {c: [getattr(e, c) for e in self] for c in columns}
        own_fields = dict.fromkeys(
            k for e in self for k in e.fields if k not in ("messages", *columns)
        )
        return pd.DataFrame(table | {k: [e.fields.get(k) for e in self] for k in own_fields})

    def __repr__(self) -> str:
        problem_count = sum(not problem.hint for problem in self.problems)
        size = f"{len(self):,} examples" + (
            f", {problem_count:,} problems" if problem_count else ""
        )
        return f"<{self.split or 'dataset'}: {size}, {self.digest[:12]}>"


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
