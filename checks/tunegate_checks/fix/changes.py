"""One file during a fix: where its results go, its rows, and every change with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunegate.data.dataset import PLAIN_READING, Dataset, Example, Reading
from tunegate.data.formats.row_format import Fields
from tunegate.utils.strict_json import to_json_line

from .read import Row, Source

STEPS = ("review", "format", "redact", "labels", "duplicates", "leaks")
Why = tuple[str, str, str]  # description, reason and kind of a change
# What is left for a person: what it is, and (line of the result, evidence) of each row.
Unresolved = tuple[str, Sequence[tuple[int | None, str]]]


@dataclass(frozen=True)
class Job:
    """One file to fix, and where its result goes."""

    path: Path
    out: Path
    split: str = ""

    def files(self, suffix: str = ".jsonl") -> dict[str, Path]:
        """Return the three files of a result; `suffix` is that of the rows set aside."""
        diff, aside = map(self.out.with_suffix, (".fix.csv", f".aside{suffix}"))
        return {"data": self.out, "diff": diff, "aside": aside}


@dataclass(frozen=True)
class Change:
    """What was done to a row (`row` is None: to the whole file), in which step, and why."""

    row: Row | None
    step: str
    description: str
    reason: str
    kind: str = ""  # what the summary counts


@dataclass
class FileChanges:
    """A file that is being fixed: its rows, the changes so far, what is left for a person.

    `against` are the datasets whose rows the result must not repeat, training first. `reading` is
    that of the project: how labels, groups and times are read.
    `finding_counts` has, for each check of the steps that ran, how many findings the result still
    has; `still_found` says what any data check finds in the result as a whole, and no step changes.
    """

    job: Job
    source: Source
    against: Sequence[Dataset] = ()
    reading: Reading = PLAIN_READING
    changes: list[Change] = field(default_factory=list)
    rejected: list[Row] = field(default_factory=list)
    unresolved: list[Unresolved] = field(default_factory=list)
    finding_counts: dict[str, int] = field(default_factory=dict)
    still_found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.total = len(self.source.rows) + len(self.source.rejected)
        for note in self.source.notes:
            self.add_file_change("format", note, "one row a line, UTF-8")
        for row, reason in self.source.converted:
            self.changes.append(Change(row, "format", "became messages", reason, "shape"))
        for row in self.source.rejected:
            self.reject(row, row.reason)

    @property
    def rows(self) -> list[Row]:
        """The rows that no step has left out."""
        return [row for row in self.source.rows if row.is_kept]

    def dataset(self) -> Dataset:
        """Return the kept rows as they are now; findings in them name lines of the source."""
        rows, reading = enumerate(self.rows), self.reading
        examples = [Example(i, row.line, row.fields, reading) for i, row in rows]
        return Dataset(examples, split=self.job.split, path=self.job.path, reading=reading)

    def data(self) -> bytes:
        """Return the bytes of the cleaned file."""
        return b"".join(row.raw + b"\n" for row in self.rows)

    def result(self) -> Dataset:
        """Return the cleaned file, parsed as any reader of it will parse it."""
        return Dataset.parse(self.data(), self.job.split, self.job.out, reading=self.reading)

    def add_file_change(self, step: str, description: str, reason: str) -> None:
        """Record a change that concerns the whole file."""
        self.changes.append(Change(None, step, description, reason, "file"))

    def change_row(self, row: Row, fields: Fields, step: str, *changes: Why) -> None:
        """Give a row other fields, and the bytes written for them; record each of the changes."""
        row.fields, row.raw = fields, to_json_line(fields)
        self.changes += (Change(row, step, *change) for change in changes)

    def drop(self, row: Row, step: str, reason: str, kind: str) -> None:
        """Leave a row out of the result, and record why."""
        row.is_kept = False
        self.changes.append(Change(row, step, "dropped", reason, kind))

    def reject(self, row: Row, reason: str) -> None:
        """Leave a row out that a person must put right; it is written to the file set aside."""
        row.is_kept, row.reason = False, reason
        self.rejected.append(row)
        self.changes.append(Change(row, "format", "set aside", reason, "set aside"))

    def rejected_bytes(self) -> bytes:
        """Return the bytes of the file set aside: each row as it stands in the source."""
        raws = [row.origin for row in sorted(self.rejected, key=lambda r: r.line)]
        if self.source.suffix == ".jsonl":  # a record of a CSV file may have several lines
            raws = [raw.replace(b"\n", b" ") for raw in raws]
        return self.source.head + b"".join(raw + b"\n" for raw in raws)
