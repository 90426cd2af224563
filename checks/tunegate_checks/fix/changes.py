"""One file during a fix: rows, records set aside, changes with their reasons, and the report."""

import csv
import io
import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tunegate.config.schema import Config
from tunegate.data import json_lines
from tunegate.data.dataset import PLAIN_READING, Dataset, Example, Reading
from tunegate.data.formats import ROW_FORMATS
from tunegate.data.formats.row_format import Fields
from tunegate.data.tables import check_data, read_saved, read_table_rows
from tunegate.errors import ConfigError
from tunegate.utils.masking import mask
from tunegate.utils.strict_json import Unreadable, to_json_line
from tunegate.utils.text import counted


@dataclass(eq=False)
class Row:
    """One row of the source, and its state after the steps so far."""

    line: int  # its first line in the source, from 1
    fields: Fields
    raw: bytes  # written to the result; those of the source until a step changes the fields
    unredacted: Fields | None = None  # the fields before redaction, where redaction changed them
    is_kept: bool = True
    refusal: str = ""  # why it was not redacted
    reason: str = ""  # why it was set aside: it cannot be read, or not be put right


@dataclass
class Source:
    """The content of a file: its rows, those set aside, and notes on the file as a whole."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    rejected: list[Row] = field(default_factory=list)
    converted: list[tuple[Row, str]] = field(default_factory=list)  # rows that became messages
    notes: list[str] = field(default_factory=list)


def read_source(path: Path, columns: Mapping[str, str] | None = None, split: str = "") -> Source:
    """Read a file, or its `split`; raises OSError, ConfigError, ValueError for no readable row."""
    whole = read_saved(path, split)
    if unread := json_lines.unread_rows(whole, split):
        raise ConfigError(f"{path}: {unread[0].evidence}")
    data = json_lines.select_split(whole, split)
    check_data(data, path, columns or {})
    is_table = json_lines.is_table_data(data, path, mapped=bool(columns))
    source = (read_table_source if is_table else read_json_source)(path, data, columns or {})
    if source.rows:
        return source
    reason = "it holds no rows"
    if source.rejected:
        # The file may be no JSON at all: the reader of datasets then has the better reason.
        problems = json_lines.read_json_rows(data)[1]
        evidence = problems[0].evidence if problems else source.rejected[0].reason
        reason = f"line {source.rejected[0].line}: {evidence}"
    raise ValueError(f"{path}: nothing to fix, and nothing was written: {reason}")


def read_json_source(path: Path, data: bytes, columns: Mapping[str, str] | None = None) -> Source:
    """Return the rows of JSON Lines or of a JSON array; `path` is not read."""
    source = Source(path)
    for line, raw in json_lines.split_rows(data):
        try:
            if isinstance(raw, Unreadable):  # the rest of an array, which is read no further
                raise raw
            row_format, fields = json_lines.read_row(raw, line, columns)
            # What is read as chat stays as it stands, in another dialect too.
            is_chat = row_format.required == ROW_FORMATS[0].required
            row_bytes = b" ".join(raw.strip().splitlines()) if is_chat else to_json_line(fields)
        except Unreadable as error:
            source.rejected.append(Row(line, {}, b"", reason=str(error)))
        else:
            row = Row(line, fields, row_bytes)
            source.rows.append(row)
            if not is_chat:
                source.converted.append((row, f"{row_format.name}: {row_format.hint}"))
    return source


def read_table_source(path: Path, data: bytes, columns: Mapping[str, str]) -> Source:
    """Return rows of CSV or Parquet as chat messages; set aside what is unreadable."""
    rows, problems = read_table_rows(data, columns)
    source = Source(path)
    errors = {p.line: p.evidence for p in problems if p.line is not None}
    for line, fields in rows:
        try:
            raw = to_json_line(fields)
            # Dates and such are no values of JSON: what is written is the row from here on.
            source.rows.append(Row(line, json.loads(raw), raw))
        except Unreadable as error:
            errors[line] = str(error)
    source.rejected += (Row(line, {}, b"", reason=why) for line, why in sorted(errors.items()))
    mapping = "; ".join(p.evidence.partition(": ")[2] for p in problems if p.hint)
    source.notes.append(f"a table became chat messages: {mapping}")
    return source


STEPS = ("review", "format", "redact", "labels", "duplicates", "leaks")
CSV_COLUMNS = ("line_in", "line_out", "step", "what", "why")
MAX_WIDTH = 80  # of the summary, in columns
MAX_LINES = 8  # line numbers listed
CHANGE_NAMES = {"format": "reformatted", "redact": "redacted", "labels": "respelled"}
CHANGE_NAMES["review"] = "corrected"
SEPARATE_KINDS = ("file", "set aside")  # kinds of change that have summary lines of their own
_wrap = partial(textwrap.wrap, width=MAX_WIDTH, break_long_words=False, break_on_hyphens=False)
Why = tuple[str, str, str]  # description, reason and kind of a change
# What is left for a person: what it is, and (line of the result, evidence) of each row.
Unresolved = tuple[str, Sequence[tuple[int | None, str]]]


@dataclass(frozen=True)
class Job:
    """One file to fix, and where its result goes."""

    path: Path
    out: Path
    split: str = ""

    def files(self) -> dict[str, Path]:
        """Return the two files of a result."""
        return {"data": self.out, "diff": self.out.with_suffix(".fix.csv")}


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
        """Leave a row out that a person must put right; its line is told, with the reason."""
        row.is_kept, row.reason = False, reason
        self.rejected.append(row)
        self.changes.append(Change(row, "format", "set aside", reason, "set aside"))


def changes_csv(file_changes: FileChanges) -> bytes:
    """Return a line for each change, masked, with its row's line in source and result, from 1."""
    kept_rows = file_changes.rows
    line_of_row = {id(row): line for line, row in enumerate(kept_rows, start=1)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for change in sorted(file_changes.changes, key=lambda c: c.row.line if c.row else 0):
        lines = [change.row.line, line_of_row.get(id(change.row), "")] if change.row else ["", ""]
        descriptions = mask_personal(change.description), mask_personal(change.reason)
        writer.writerow([*lines, change.step, *descriptions])
    for _, evidence in file_changes.unresolved:
        for out_line, why in evidence:
            line = kept_rows[out_line - 1].line if out_line else ""
            left = "left", "nothing: for you to decide", mask_personal(why)
            writer.writerow([line, out_line or "", *left])
    return text.getvalue().encode("utf-8", "replace")


def mask_personal(text: str) -> str:
    """Return a text with masks for personal data and keys, on one line."""
    return " ".join(mask(text, quotes=True).split())


def summary_lines(fixed: Sequence[FileChanges], project: Config) -> Iterator[str]:
    """Yield what was done to each file and the next command, in 80 columns; no path is broken."""
    for file_changes in fixed:
        yield from _file_lines(summary(file_changes))
    if project.data.columns and len(fixed) == 1:
        yield "next: fix the other splits too, since all are tables or none is; then"
    line = f"next: pytest {project.suites.data}"
    for job in (file_changes.job for file_changes in fixed):
        option = f"--{job.split or 'train'}-data {job.out}"
        if len(f"{line} {option} \\") > MAX_WIDTH:
            yield f"{line} \\"
            line = "   "
        line = f"{line} {option}"
    yield line


def summary(file_changes: FileChanges) -> dict[str, Any]:
    """Return what was done to one file, and what is left for a person, as builtins."""
    out = file_changes.job.files()
    made, steps = file_changes.changes, []
    for step in STEPS:
        changes = [c for c in made if c.step == step and c.kind not in SEPARATE_KINDS]
        if rows := len({id(c.row) for c in changes}):
            steps.append({"step": step, "rows": rows, "kinds": Counter(c.kind for c in changes)})
    left = ((what, {n for n, _ in rows if n}) for what, rows in file_changes.unresolved)
    rejected = sorted(file_changes.rejected, key=lambda row: row.line)
    return {
        "path": file_changes.job.path, "split": file_changes.job.split or None, **out,
        "rows_in": file_changes.total, "rows_out": len(file_changes.rows), "steps": steps,
        "set_aside": [{"line": r.line, "reason": mask_personal(r.reason)} for r in rejected],
        "notes": [change.description for change in made if change.kind == "file"],
        "checked": file_changes.finding_counts,
        "unresolved": [{"what": what, "lines": sorted(lines)} for what, lines in left],
        "still_found": file_changes.still_found,
    }  # fmt: skip


def _file_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the summary of one file."""
    yield f"{told['path'].name} -> {told['data']}"
    yield from _count_line("rows in", told["rows_in"])
    for step in told["steps"]:  # one that has no name for changed rows drops rows
        is_drop = step["step"] not in CHANGE_NAMES
        name, rows = CHANGE_NAMES.get(step["step"], step["step"]), step["rows"]
        yield from _count_line(name, -rows if is_drop else rows, step["kinds"])
    if rejected := told["set_aside"]:
        yield from _count_line("set aside", -len(rejected))
    yield from _count_line("rows out", told["rows_out"])
    counts = ", ".join(f"{name} {n:,}" for name, n in told["checked"].items())
    notes = [*told["notes"], f"checked: {counts or 'nothing'}"]
    for left in told["unresolved"]:
        lines = left["lines"]
        lines_text = ", ".join(f"{n:,}" for n in lines[:MAX_LINES])
        more = f" and {len(lines) - MAX_LINES:,} more" if len(lines) > MAX_LINES else ""
        location = f" line {lines_text}{more} of {told['data']}" if lines else ""
        notes.append(f"left for you: {left['what']}{location}")
    notes += (f"the data suite still finds {said}" for said in told["still_found"])
    if rejected:
        reason = f"line {rejected[0]['line']:,}: {rejected[0]['reason']}"
        notes.append(f"left for you: {counted(len(rejected), 'row')} set aside; {reason}")
    for note in notes:
        yield from _wrap(note, initial_indent="  ", subsequent_indent="    ")
    yield f"  each change: {told['diff']}"


def _count_line(name: str, count: int, kinds: Mapping[str, int] | None = None) -> list[str]:
    """Return a count, and the counts by kind unless the only kind is `name`."""
    kinds_text = ", ".join(f"{kind} {n:,}" for kind, n in (kinds or {}).items() if kind != name)
    head = f"  {name:<11} {count:>8,}   "
    return _wrap((head + kinds_text).rstrip(), subsequent_indent=" " * len(head))
