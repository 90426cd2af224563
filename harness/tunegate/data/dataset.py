"""The dataset: examples in the chat form, read once, digested, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..results.finding import Finding
from ..utils.hashing import sha256_bytes
from .formats import rejected_in
from .json_lines import read_json_rows
from .tables import read_table_rows

if TYPE_CHECKING:
    import pandas as pd


SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Example:
    """One row: `row` counts from 0, `line` is its first line in the file, from 1."""

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
        """The text of the last message, when the assistant speaks it; else ""."""
        last = self.messages[-1] if self.messages else None
        return content_text(last) if last and last["role"] == "assistant" else ""

    @cached_property
    def prompt(self) -> str:
        """The text of everything between the system message and the reply."""
        end = len(self.messages) - 1 if self.reply else len(self.messages)
        return _joined(m for m in self.messages[:end] if m["role"] not in ("system", "developer"))

    @property
    def label(self) -> str:
        """The reply without white space around it: the class, where the task is classification."""
        return self.reply.strip()

    @property
    def text(self) -> str:
        """Prompt and reply. The system prompt, which rows share, is not part of it."""
        return f"{self.prompt}\n{self.reply}".strip("\n")


def content_text(message: Mapping[str, Any]) -> str:
    """Return a message's content as text; parts that are not text count for nothing."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(p["text"]) for p in parts if isinstance(p, dict) and "text" in p)


def _joined(messages: Iterator[Mapping[str, Any]]) -> str:
    return "\n".join(content_text(m) for m in messages)


class Dataset(Sequence[Example]):
    """The examples of one split, with the sha256 of the bytes they were read from.

    `problems` holds a finding for every line that would not parse, and a hint where rows were of
    another shape (Alpaca, ShareGPT, a table) and became messages: nothing happens unsaid.
    """

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
        """Read a JSONL file or a JSON array of `{"messages": [...]}`; Alpaca and ShareGPT too.

        With `columns`, such as `{"prompt": "text", "reply": "category"}`: a CSV or Parquet file.
        Raises OSError where the file cannot be read, ValueError where `columns` does not fit it; a
        bad line is a problem, never an exception.
        """
        return cls.parse(Path(path).read_bytes(), split=split, path=path, columns=columns)

    @classmethod
    def parse(
        cls,
        data: bytes,
        split: str = "",
        path: Path | str = "",
        columns: Mapping[str, str] | None = None,
    ) -> Dataset:
        """Make a dataset of a file's bytes."""
        rows, problems = read_table_rows(data, columns) if columns else read_json_rows(data)
        examples = [Example(i, line, fields) for i, (line, fields) in enumerate(rows)]
        digest = sha256_bytes(data)
        return cls(
            examples, split=split, path=path, digest=digest, problems=problems, columns=columns
        )

    @property
    def identity(self) -> str:
        """The digest of the bytes, and of the mapping where columns were mapped: of these rows."""
        if not self.columns:
            return self.digest
        return sha256_bytes(repr([self.digest, *sorted(self.columns.items())]).encode())

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], split: str = "") -> Dataset:
        """Make a dataset of rows in memory: for notebooks and tests."""
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

    @property
    def frame(self) -> pd.DataFrame:
        """New each time: line, system, prompt, reply, label, and the rows' own fields."""
        import pandas as pd

        columns = ("line", "system", "prompt", "reply", "label")
        table = {c: [getattr(e, c) for e in self] for c in columns}
        own_fields = dict.fromkeys(
            k for e in self for k in e.fields if k not in ("messages", *columns)
        )
        return pd.DataFrame(table | {k: [e.fields.get(k) for e in self] for k in own_fields})

    def __repr__(self) -> str:
        problem_count = sum(not problem.hint for problem in self.problems)
        problems_text = f", {problem_count:,} problems" if problem_count else ""
        return f"<{self.split or 'dataset'}: {len(self):,} examples{problems_text}, {self.digest[:12]}>"


def rejected_reply(example: Example) -> Mapping[str, Any] | None:
    """Return the rejected reply of a row, a message; None where the row has no preference."""
    return rejected_in(example.fields)


def rejected_messages(example: Example) -> Sequence[Mapping[str, Any]]:
    """Return the conversation that ends on the rejected reply; empty without a preference."""
    reply = rejected_reply(example)
    return [*example.messages[:-1], reply] if reply is not None else []


def preference_sides(example: Example) -> list[Example]:
    """Return the row, and behind it the row that ends on the rejected reply, if it has one."""
    messages = rejected_messages(example)
    return [example, *([_with_messages(example, messages)] if messages else [])]


def _with_messages(example: Example, messages: Sequence[Mapping[str, Any]]) -> Example:
    return replace(example, fields={**example.fields, "messages": messages})
