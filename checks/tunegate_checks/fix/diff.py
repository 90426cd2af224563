"""What was done, row by row, as a CSV table: it opens in a pull request and in a spreadsheet."""

from __future__ import annotations

import csv
import io

from ..data import secrets
from ..data.personal import personal_spans
from ..data.personal.masking import mask_value
from .work import FileChanges

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
    spans_found = sorted([*personal_spans(text), *secrets.key_spans(text)], key=lambda s: s.start)
    parts, position = [], 0
    for span in spans_found:
        if span.start >= position:
            parts += [
                text[position : span.start],
                mask_value(span.kind, text[span.start : span.end]),
            ]
            position = span.end
    return " ".join("".join([*parts, text[position:]]).split())
