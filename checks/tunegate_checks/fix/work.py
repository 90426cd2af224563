"""One file on its way through the steps: its rows, and every change with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunegate.dataset import Dataset

from .source import Aside, Row, Source

STEPS = ("format", "redact", "labels", "duplicates", "leaks")


@dataclass(frozen=True)
class Change:
    """What was done to a row (to the whole file, where there is none), in which step, and why."""

    row: Row | None
    line: int | None
    step: str
    what: str
    why: str
    kind: str = ""  # what the summary counts


@dataclass(frozen=True)
class Left:
    """What is left for a person: what it is, and (line of the result, evidence) of each row."""

    what: str
    told: Sequence[tuple[int | None, str]] = ()

    @property
    def lines(self) -> list[int]:
        """The lines of the result that it concerns, each once, in order."""
        return sorted({line for line, _ in self.told if line is not None})


@dataclass
class Work:
    """A file, what was done to it so far, and what it must not hold rows of."""

    source: Source
    split: str = ""
    against: Sequence[Dataset] = ()
    changes: list[Change] = field(default_factory=list)
    aside: list[Aside] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.total = self.source.total
        for note in self.source.notes:
            self.say("format", note, "one row a line, UTF-8")
        for row, why in self.source.shaped:
            self.changes.append(Change(row, row.line, "format", "became messages", why, "shape"))
        for aside in self.source.aside:
            self._put_aside(None, aside)

    @property
    def rows(self) -> list[Row]:
        """The rows that are still in."""
        return [row for row in self.source.rows if row.kept]

    def dataset(self) -> Dataset:
        """Return the rows as they are now; the checks then name lines of the source."""
        examples = [row.example(i) for i, row in enumerate(self.rows)]
        return Dataset(examples, split=self.split, path=self.source.path)

    def data(self) -> bytes:
        """Return what the cleaned file holds."""
        return b"".join(row.raw + b"\n" for row in self.rows)

    def result(self, path: Path) -> Dataset:
        """Return the cleaned file as whoever reads it will."""
        return Dataset.parse(self.data(), split=self.split, path=path)

    def say(self, step: str, what: str, why: str) -> None:
        """Take note of what concerns the whole file."""
        self.changes.append(Change(None, None, step, what, why, "file"))

    def note(self, row: Row, step: str, what: str, why: str, kind: str) -> None:
        """Take note of a change to a row."""
        self.changes.append(Change(row, row.line, step, what, why, kind))

    def drop(self, row: Row, step: str, why: str, kind: str) -> None:
        """Leave a row out, and say so."""
        row.kept = False
        self.note(row, step, "dropped", why, kind)

    def set_aside(self, row: Row, why: str) -> None:
        """Leave a row out that a person must put right; it is kept beside the result."""
        row.kept = False
        self._put_aside(row, Aside(row.line, row.origin, why))

    def _put_aside(self, row: Row | None, aside: Aside) -> None:
        self.aside.append(aside)
        change = Change(row, aside.line, "format", "set aside", aside.why, "set aside")
        self.changes.append(change)

    def aside_bytes(self) -> bytes:
        """Return what was set aside, each row as it stands in the source; JSON on one line."""
        raws = [aside.raw for aside in sorted(self.aside, key=lambda aside: aside.line)]
        if self.source.suffix == ".jsonl":  # a record of a CSV file may well have several
            raws = [raw.replace(b"\n", b" ") for raw in raws]
        return self.source.head + b"".join(raw + b"\n" for raw in raws)

    def places(self) -> dict[int, int]:
        """Return for each row that is left (by identity) its line in the result, from 1."""
        return {id(row): line for line, row in enumerate(self.rows, start=1)}
