"""What was done, row by row, as a CSV table: it opens in a pull request and in a spreadsheet."""

from __future__ import annotations

import csv
import io

from ..data import secrets
from ..data.personal import spans
from ..data.personal.masking import masked
from .work import Work

HEAD = ("line_in", "line_out", "step", "what", "why")


def table(work: Work) -> bytes:
    """Return the changes in the order of the source; a row with several has several lines.

    `line_in` is the row's first line in the source, `line_out` its line in the result (empty where
    it was left out), both from 1. What stands for the whole file has neither. Personal data is
    masked.
    """
    out, kept = work.places(), work.rows
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for change in sorted(work.changes, key=lambda c: c.line or 0):
        line = out.get(id(change.row), "") if change.row else ""
        told = veiled(change.what), veiled(change.why)
        writer.writerow([change.line or "", line, change.step, *told])
    for left in work.left:
        for at, why in left.told:
            line = kept[at - 1].line if at else ""
            writer.writerow([line, at or "", "left", "nothing: for you to decide", veiled(why)])
    return text.getvalue().encode("utf-8", "replace")


def veiled(text: str) -> str:
    """Return a text with masks for personal data and keys, on one line."""
    found = sorted([*spans(text), *secrets.spans(text)], key=lambda s: s.start)
    out, at = [], 0
    for span in found:
        if span.start >= at:
            out += [text[at : span.start], masked(span.kind, text[span.start : span.end])]
            at = span.end
    return " ".join("".join([*out, text[at:]]).split())
