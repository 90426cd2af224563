"""Reads the rows of a JSONL file or of a JSON array; a row that cannot be read becomes a finding.

Every line that is not blank (every element, of an array) becomes a row or a finding, unless the
file as a whole is in another encoding or format. No function here raises for bad bytes. Apart from
the rows that it returns, reading needs memory for one row at a time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..results.finding import Finding
from ..utils.strict_json import Unreadable, parse_strict
from .formats import ROW_FORMATS, to_messages
from .text_encoding import encoding_finding

Row = tuple[int, dict[str, Any]]  # the first line, from 1, and the fields
Piece = tuple[int, memoryview | Unreadable]  # the first line, and the bytes of one row

MAX_PROBLEMS = 10_000  # findings; a finding needs more memory than the broken line it reports

NOT_JSON_MAGIC = {
    b"\xff\xfe": "the file is UTF-16 or UTF-32; save it as UTF-8",
    b"\xfe\xff": "the file is UTF-16; save it as UTF-8",
    b"\x00\x00\xfe\xff": "the file is UTF-32; save it as UTF-8",
    b"\x1f\x8b": "the file is compressed with gzip; unpack it first",
    b"PK\x03\x04": "the file is a zip archive (or a spreadsheet); unpack or export it first",
    b"(\xb5/\xfd": "the file is compressed with zstd; unpack it first",
    b"PAR1": "the file is Parquet; say which columns it has: columns={'prompt': ..., 'reply': ...}",
}
BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"[ \t\r\n\f\v]*")
# Possessive (*+), so that a string of 100 MB needs no stack. JSON allows no line end in a string:
# a string without its closing quote ends with its line, and the rows behind it are still found.
_TOKEN = re.compile(rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|[\[\]{},]', re.DOTALL)


def read_json_rows(data: bytes) -> tuple[list[Row], list[Finding]]:
    """Return the rows of a file, and a finding with its line for everything that is not a row.

    Rows in another format than chat messages are converted, and a hint counts them. After
    MAX_PROBLEMS findings one more finding counts the rest.
    """
    file_format = next(
        (text for magic, text in NOT_JSON_MAGIC.items() if data.startswith(magic)), ""
    )
    if not file_format and data[:100].count(0) > len(data[:100]) / 3:
        file_format = "every other byte is NUL, as in UTF-16; save the file as UTF-8"
    if file_format:
        return [], [Finding(None, 1, "encoding", file_format)]
    if encoding_problem := encoding_finding(data):
        return [], [encoding_problem]
    rows: list[Row] = []
    problems: list[Finding] = []
    unlisted_count = 0
    format_counts: Counter[str] = Counter()
    for line, piece in split_rows(data):
        try:
            if isinstance(piece, Unreadable):
                raise piece
            row_format, fields = to_messages(parse_strict(decode_row(piece), line))
        except Unreadable as error:
            if len(problems) < MAX_PROBLEMS:
                problems.append(Finding(None, line, error.kind, error.evidence))
            else:
                unlisted_count += 1
        else:
            rows.append((line, fields))
            format_counts[row_format.name] += 1
    if unlisted_count:
        evidence = f"{unlisted_count:,} more rows are unreadable"
        problems.append(Finding.of_dataset("unlisted", evidence))
    for row_format in ROW_FORMATS[1:]:
        if count := format_counts[row_format.name]:
            evidence = f"read as {row_format.name}: {row_format.hint}"
            if count < len(rows):
                evidence += f" ({count:,} of {len(rows):,} rows: the file mixes shapes)"
            problems.append(Finding.dataset_hint("shape", evidence))
    return rows, problems


def decode_row(row: bytes | memoryview) -> str:
    """Return the text of a row; raise Unreadable, naming the first byte that is not UTF-8."""
    try:
        return str(row, "utf-8")
    except UnicodeDecodeError as error:
        location = f"byte {error.start + 1} of the row"
        raise Unreadable("encoding", f"{location} is not UTF-8; save the file as UTF-8") from None


def split_rows(data: bytes) -> Iterator[Piece]:
    """Yield the first line and the bytes of each row: elements of one array, else lines.

    Instead of bytes, an Unreadable says that the array is not closed, or that bytes follow it.
    """
    start = len(BOM) if data.startswith(BOM) else 0
    first = _skip_blanks(data, start)
    if data[first : first + 1] == b"[" and not _is_array_in_lines(data, first):
        yield from _split_array(data, start)
        return
    # Only \n ends a line: U+2028, U+0085 and other line separators are legal in a JSON string.
    line, view = 0, memoryview(data)
    while start < len(data):
        line += 1
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        if not _BLANK.fullmatch(data, start, end):
            yield line, view[start:end]
        start = end + 1


def _is_array_in_lines(data: bytes, start: int) -> bool:
    """Tell JSONL whose first line is an array by mistake from a file that is one array."""
    end = data.find(b"\n", start)
    if end < 0 or _skip_blanks(data, end) == len(data):
        return False
    try:
        parse_strict(decode_row(memoryview(data)[start:end]))
    except Unreadable:
        return False
    return True


def _skip_blanks(data: bytes, start: int) -> int:
    match = _BLANK.match(data, start)
    return match.end() if match else start


def _split_array(data: bytes, start: int) -> Iterator[Piece]:
    """Yield the elements of a JSON array; elements behind a broken one are still found."""
    line, view, end = 1, memoryview(data), start
    for begin, end, is_only in _element_spans(data, start):
        first = min(_skip_blanks(data, begin), end)
        line, start = line + data.count(b"\n", start, first), first
        if first < end or not is_only:  # [] has no elements, but [a,] has two
            yield line, view[first:end]
    rest = _skip_blanks(data, end + 1)
    line += data.count(b"\n", start, min(rest, len(data)))
    if end >= len(data):
        yield line, Unreadable("json", "the array is never closed: is the file cut off?")
    elif rest < len(data):
        yield line, Unreadable("json", "nothing behind the array's closing bracket can be read")


def _element_spans(data: bytes, start: int) -> Iterator[tuple[int, int, bool]]:
    """Yield (begin, end, is_only) of each element of an array; `is_only`: no comma stands in it."""
    begin, is_only, open_brackets = 0, True, bytearray()
    for token in _TOKEN.finditer(data, start):
        position = token.start()
        bracket = data[position : position + 1]
        if bracket in b"[{":
            open_brackets += bracket
            begin = begin or position + 1
        elif bracket == b"," and len(open_brackets) == 1:
            yield begin, position, False
            begin, is_only = position + 1, False
        elif bracket in b"]}":
            # If brackets do not match, close all up to the nearest opening one that does.
            opener = open_brackets.rfind(b"[" if bracket == b"]" else b"{")
            del open_brackets[opener if opener >= 0 else len(open_brackets) :]
            if not open_brackets:
                yield begin, position, is_only
                return
    yield begin, len(data), is_only
