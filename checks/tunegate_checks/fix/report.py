"""What was done, row by row, as a CSV table: it opens in a pull request and in a spreadsheet."""

from __future__ import annotations

import csv
import io
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..detect import api_keys
from ..detect.engine import personal_spans
from ..detect.masking import mask_value
from .changes import FileChanges, Unresolved

CSV_COLUMNS = ("line_in", "line_out", "step", "what", "why")


def changes_csv(file_changes: FileChanges) -> bytes:
    """Return the changes in the order of the source; a row with several has several lines.

    `line_in` is the row's first line in the source, `line_out` its line in the result (empty where
    it was left out), both from 1. What stands for the whole file has neither. Personal data is
    masked.
    """
    line_of_row, kept_rows = file_changes.out_lines(), file_changes.rows
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for change in sorted(file_changes.changes, key=lambda c: c.line or 0):
        line = line_of_row.get(id(change.row), "") if change.row else ""
        descriptions = mask_personal(change.description), mask_personal(change.reason)
        writer.writerow([change.line or "", line, change.step, *descriptions])
    for item in file_changes.unresolved:
        for out_line, why in item.evidence:
            line = kept_rows[out_line - 1].line if out_line else ""
            writer.writerow(
                [line, out_line or "", "left", "nothing: for you to decide", mask_personal(why)]
            )
    return text.getvalue().encode("utf-8", "replace")


def mask_personal(text: str) -> str:
    """Return a text with masks for personal data and keys, on one line."""
    spans_found = sorted([*personal_spans(text), *api_keys.key_spans(text)], key=lambda s: s.start)
    parts, position = [], 0
    for span in spans_found:
        if span.start >= position:
            parts += [
                text[position : span.start],
                mask_value(span.kind, text[span.start : span.end]),
            ]
            position = span.end
    return " ".join("".join([*parts, text[position:]]).split())


# [merged] What the terminal shows of one file: rows in and out, why, and what a person must look at.

MAX_WIDTH = 80
MAX_LINES = 8  # lines listed
CHANGE_NAMES = {"format": "reformatted", "redact": "redacted", "labels": "respelled"}
DROP_STEPS = ("duplicates", "leaks")
SEPARATE_KINDS = ("file", "set aside")  # changes that are told of on their own


def summary_lines(file_changes: FileChanges, out: Mapping[str, Path]) -> Iterator[str]:
    """Yield the summary of a file, at most 80 columns wide; `out` are the files it went to."""
    yield f"{file_changes.source.path.name} -> {out['data']}"
    yield from _count_line("rows in", f"{file_changes.total:,}")
    for step, name in CHANGE_NAMES.items():
        rows = {
            id(c.row)
            for c in file_changes.changes
            if c.step == step and c.kind not in SEPARATE_KINDS
        }
        yield from (
            _count_line(name, f"{len(rows):,}", _kind_counts(file_changes, step)) if rows else ()
        )
    for step in DROP_STEPS:
        kinds = _kind_counts(file_changes, step)
        yield from _count_line(step, f"-{kinds.total():,}", kinds) if kinds else ()
    if file_changes.rejected:
        yield from _count_line("set aside", f"-{len(file_changes.rejected):,}")
    yield from _count_line("rows out", f"{len(file_changes.rows):,}")
    for change in file_changes.changes:
        yield from _wrap_indented(change.description) if change.kind == "file" else ()
    yield from _wrap_indented(f"checked: {_checked_text(file_changes)}")
    yield from (
        line for item in _unresolved_lines(file_changes, out) for line in _wrap_indented(item)
    )
    yield f"  each change: {out['diff']}"


def next_command(splits: Sequence[tuple[str, Path]], suite: str) -> Iterator[str]:
    """Yield the command that judges the results."""
    arguments = ["next: pytest", suite, *(f"--{split}-data {path}" for split, path in splits)]
    line = arguments[0]
    for argument in arguments[1:]:
        if len(f"{line} {argument} \\") > MAX_WIDTH:
            yield f"{line} \\"
            line = "   "
        line = f"{line} {argument}"
    yield line


def _kind_counts(file_changes: FileChanges, step: str) -> Counter[str]:
    return Counter(
        c.kind for c in file_changes.changes if c.step == step and c.kind not in SEPARATE_KINDS
    )


def _count_line(name: str, count: str, kinds: Mapping[str, int] | None = None) -> list[str]:
    kinds_text = ", ".join(f"{kind} {n:,}" for kind, n in (kinds or {}).items() if kind != name)
    return (
        _wrap_lines(f"  {name:<11} {count:>8}   ", kinds_text)
        if kinds_text
        else [f"  {name:<11} {count:>8}"]
    )


def _checked_text(file_changes: FileChanges) -> str:
    return (
        ", ".join(f"{name} {n:,}" for name, n in file_changes.finding_counts.items()) or "nothing"
    )


def _unresolved_lines(file_changes: FileChanges, out: Mapping[str, Path]) -> Iterator[str]:
    for item in file_changes.unresolved:
        yield f"left for you: {item.description}{_location_text(item, out['data'].name)}"
    if file_changes.rejected:
        first = min(file_changes.rejected, key=lambda aside: aside.line)
        rows = f"{len(file_changes.rejected):,} row{'s' * (len(file_changes.rejected) > 1)}"
        reason = f"line {first.line:,}: {mask_personal(first.reason)}"
        yield f"left for you: {rows} set aside in {out['aside']}; {reason}"


def _location_text(item: Unresolved, file: str) -> str:
    lines_text = ", ".join(f"{n:,}" for n in item.lines[:MAX_LINES])
    more = f" and {len(item.lines) - MAX_LINES:,} more" if len(item.lines) > MAX_LINES else ""
    return f" line {lines_text}{more} of {file}" if item.lines else ""


def _wrap_indented(text: str) -> list[str]:
    return _wrap_lines("  ", text, "    ")


def _wrap_lines(head: str, text: str, indent: str = "") -> list[str]:
    """Return lines of at most 80 columns; a path is never broken, however long."""
    subsequent_indent = indent or " " * len(head)
    wrapper = textwrap.TextWrapper(
        MAX_WIDTH, initial_indent=head, subsequent_indent=subsequent_indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return wrapper.wrap(text)
