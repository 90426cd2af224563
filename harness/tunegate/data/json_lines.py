"""From a file's bytes to rows: JSONL or a JSON array; what cannot be read becomes a finding.

Every line that is not blank (every element, of an array) ends as a row or as a problem, unless the
file as a whole is one: it is in another encoding. Nothing raises, whatever the bytes; beyond the
rows themselves, memory holds one row at a time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..results.finding import Finding
from ..utils.strict_json import Unreadable, parse_strict
from .formats import ROW_FORMATS, RowFormat, to_messages
from .text_encoding import encoding_finding

Row = tuple[int, dict[str, Any]]  # the first line, from 1, and the fields
Piece = tuple[int, memoryview | Unreadable]  # the first line, and the bytes of one row

MAX_PROBLEMS = 10_000  # problems listed one by one: a finding is larger than a broken line

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
# Possessive (*+), so that a string of 100 MB costs no stack. A string ends on its line, as JSON's
# do: one that lost its closing quote does not swallow the rows behind it.
_TOKEN = re.compile(rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|[\[\]{},]', re.DOTALL)


def read_json_rows(data: bytes) -> tuple[list[Row], list[Finding]]:
    """Return the rows, and a finding with its line for everything that is not one.

    A hint says so where rows were not chat messages, but of a shape that could be turned into
    them. Past the first 10,000 problems the rest is counted in one finding.
    """
    other_format = _other_format(data)
    if other_format:
        return [], [Finding(None, 1, "encoding", other_format)]
    if charset := encoding_finding(data):
        return [], [charset]
    rows: list[Row] = []
    problems: list[Finding] = []
    unlisted_count = 0
    format_counts: Counter[str] = Counter()
    for line, piece in split_rows(data):
        try:
            row_format, fields = to_messages(parse_strict(_decode_piece(piece), line))
        except Unreadable as error:
            if len(problems) < MAX_PROBLEMS:
                problems.append(Finding(None, line, error.kind, error.evidence))
            else:
                unlisted_count += 1
        else:
            rows.append((line, fields))
            format_counts[row_format.name] += 1
    if unlisted_count:
        problems.append(
            Finding(None, None, "unlisted", f"{unlisted_count:,} more rows are unreadable")
        )
    return rows, [
        *problems,
        *(_format_hint(s, format_counts) for s in ROW_FORMATS[1:] if format_counts[s.name]),
    ]


def _format_hint(row_format: RowFormat, format_counts: Counter[str]) -> Finding:
    count, n = format_counts[row_format.name], format_counts.total()
    share = f" ({count:,} of {n:,} rows: the file mixes shapes)" if count < n else ""
    return Finding(
        None, None, "shape", f"read as {row_format.name}: {row_format.hint}{share}", hint=True
    )


def _other_format(data: bytes) -> str:
    """Say what the file is, where it is certainly not UTF-8 JSON."""
    for magic, description in NOT_JSON_MAGIC.items():
        if data.startswith(magic):
            return description
    head = data[:100]
    half = head.count(0) > len(head) / 3
    return "every other byte is NUL, as in UTF-16; save the file as UTF-8" if half else ""


def split_rows(data: bytes) -> Iterator[Piece]:
    start = len(BOM) if data.startswith(BOM) else 0
    first = _skip_blanks(data, start)
    if data[first : first + 1] == b"[" and not _is_one_line(data, first):
        return _split_array(data, start)
    return _split_lines(data, start)


def _is_one_line(data: bytes, start: int) -> bool:
    """Tell JSONL whose first line is an array by mistake from a file that is one array."""
    end = data.find(b"\n", start)
    if end < 0 or _skip_blanks(data, end) == len(data):
        return False
    try:
        parse_strict(_decode_piece(memoryview(data)[start:end]))
    except Unreadable:
        return False
    return True


def _decode_piece(piece: memoryview | Unreadable) -> str:
    if isinstance(piece, Unreadable):
        raise piece
    try:
        return str(piece, "utf-8")
    except UnicodeDecodeError as error:
        location = f"byte {error.start + 1} of the row"
        raise Unreadable("encoding", f"{location} is not UTF-8; save the file as UTF-8") from None


def _skip_blanks(data: bytes, start: int) -> int:
    match = _BLANK.match(data, start)
    return match.end() if match else start


def _split_lines(data: bytes, start: int) -> Iterator[Piece]:
    # Lines end at \n alone: U+2028, U+0085 and their like are legal inside a JSON string.
    line, view = 0, memoryview(data)
    while start < len(data):
        line += 1
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        if not _BLANK.fullmatch(data, start, end):
            yield line, view[start:end]
        start = end + 1


def _split_array(data: bytes, start: int) -> Iterator[Piece]:
    """Yield the elements of a JSON array; a broken one does not take those behind it along."""
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
    """Yield where the elements of an array begin and end, and whether one is all there is."""
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
            # Where brackets do not match, close up to the nearest that does: we are in step again.
            opener = open_brackets.rfind(b"[" if bracket == b"]" else b"{")
            del open_brackets[opener if opener >= 0 else len(open_brackets) :]
            if not open_brackets:
                yield begin, position, is_only
                return
    yield begin, len(data), is_only
