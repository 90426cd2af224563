"""Report a fix: every change in a CSV table, and a summary of each file for the terminal."""

import csv
import io
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from tunegate.config.schema import Config
from tunegate.utils.masking import mask

from .changes import STEPS, FileChanges

CSV_COLUMNS = ("line_in", "line_out", "step", "what", "why")
MAX_WIDTH = 80  # of the summary, in columns
MAX_LINES = 8  # line numbers listed
CHANGE_NAMES = {"format": "reformatted", "redact": "redacted", "labels": "respelled"}
CHANGE_NAMES["review"] = "corrected"
SEPARATE_KINDS = ("file", "set aside")  # kinds of change that have summary lines of their own
_wrap = partial(textwrap.wrap, width=MAX_WIDTH, break_long_words=False, break_on_hyphens=False)


def changes_csv(file_changes: FileChanges) -> bytes:
    """Return the changes in the order of the source; a row with several has several lines.

    `line_in` is the row's first line in the source, `line_out` its line in the result (empty where
    it was left out), both from 1. Changes to the whole file have neither. Personal data is masked.
    """
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
        yield from _file_lines(file_changes)
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


def _file_lines(file_changes: FileChanges) -> Iterator[str]:
    """Yield the summary of one file."""
    out = file_changes.job.files(file_changes.source.suffix)
    yield f"{file_changes.job.path.name} -> {out['data']}"
    yield from _count_line("rows in", file_changes.total)
    counted = [c for c in file_changes.changes if c.kind not in SEPARATE_KINDS]
    for step in STEPS:  # a step that has no name for changed rows drops rows
        changes = [c for c in counted if c.step == step]
        if count := len({id(c.row) for c in changes}):
            name, sign = (CHANGE_NAMES[step], 1) if step in CHANGE_NAMES else (step, -1)
            yield from _count_line(name, sign * count, Counter(c.kind for c in changes))
    rejected = file_changes.rejected
    if rejected:
        yield from _count_line("set aside", -len(rejected))
    yield from _count_line("rows out", len(file_changes.rows))
    notes = [change.description for change in file_changes.changes if change.kind == "file"]
    counts = ", ".join(f"{name} {n:,}" for name, n in file_changes.finding_counts.items())
    notes.append(f"checked: {counts or 'nothing'}")
    for description, evidence in file_changes.unresolved:
        lines = sorted({line for line, _ in evidence if line is not None})
        lines_text = ", ".join(f"{n:,}" for n in lines[:MAX_LINES])
        more = f" and {len(lines) - MAX_LINES:,} more" if len(lines) > MAX_LINES else ""
        location = f" line {lines_text}{more} of {out['data'].name}" if lines else ""
        notes.append(f"left for you: {description}{location}")
    notes += (f"the data suite still finds {said}" for said in file_changes.still_found)
    if rejected:
        first = min(rejected, key=lambda r: r.line)
        rows_text = f"{len(rejected):,} row{'s' * (len(rejected) > 1)}"
        reason = f"line {first.line:,}: {mask_personal(first.reason)}"
        notes.append(f"left for you: {rows_text} set aside in {out['aside']}; {reason}")
    for note in notes:
        yield from _wrap(note, initial_indent="  ", subsequent_indent="    ")
    yield f"  each change: {out['diff']}"


def _count_line(name: str, count: int, kinds: Mapping[str, int] | None = None) -> list[str]:
    """Return a count, and the counts by kind unless the only kind is `name`."""
    kinds_text = ", ".join(f"{kind} {n:,}" for kind, n in (kinds or {}).items() if kind != name)
    head = f"  {name:<11} {count:>8,}   "
    return _wrap((head + kinds_text).rstrip(), subsequent_indent=" " * len(head))
