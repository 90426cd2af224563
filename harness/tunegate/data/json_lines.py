"""Reads the rows of a JSONL file or of a JSON array; a row that cannot be read becomes a finding.

Every line that is not blank (every element, of an array) becomes a row or a finding, unless the
file as a whole is in another encoding or format. An array is read up to its first broken element.
No function here raises for bad bytes.
"""

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import TypeVar

from ..results.finding import Finding
from ..utils.strict_json import Unreadable, parse_strict
from .formats import to_messages
from .formats.columns import Columns
from .formats.logs import spans_of
from .formats.pairs import squad_questions
from .formats.row_format import Fields, RowFormat

Row = tuple[int, Fields]  # the first line, from 1, and the fields

T = TypeVar("T")

MAX_PROBLEMS = 10_000  # findings; a finding needs more memory than the broken line it reports

NOT_JSON_MAGIC = {
    b"\xff\xfe": "the file is UTF-16 or UTF-32; save it as UTF-8",
    b"\xfe\xff": "the file is UTF-16; save it as UTF-8",
    b"\x00\x00\xfe\xff": "the file is UTF-32; save it as UTF-8",
    b"\x1f\x8b": "the file is compressed with gzip; unpack it first",
    b"PK\x03\x04": "the file is a zip archive (or a spreadsheet); unpack or export it first",
    b"(\xb5/\xfd": "the file is compressed with zstd; unpack it first",
    b"version https://git-lfs": "the file is a pointer of Git LFS; fetch the data: git lfs pull",
    b"<!": "the file is a web page; download the data itself",
    b"<html": "the file is a web page; download the data itself",
    b"PAR1": "the file is Parquet; say which columns it has: columns={'prompt': ..., 'reply': ...}",
}
BOM = b"\xef\xbb\xbf"
# The names of a split in an object of splits, and of the only array of an object.
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "eval"),
    "test": ("test", "testing"),
}
WRAPPER_NAMES = ("data", "rows", "examples", "instances")
_OF_ROWS = re.compile(rb"\s*\[\s*[{\[]")
_PARTS = re.compile(r"[^\W_]+").findall
_ALL_NAMES = {*WRAPPER_NAMES, *(name for names in SPLIT_NAMES.values() for name in names)}
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
# How JSON begins, and hardly a header of CSV: `{"`, `[{`, `[[`, `["`.
_JSON_START = re.compile(rb"\s*(\{\s*([\"}]|\Z)|\[\s*([\[{\"\]]|\Z))")
_JSON_LINES = re.compile(rb"[^\n]*\}[ \t\r]*\n\s*\{")  # an object, and another below it
_TWO_LINES = re.compile(rb"\s*\S[^\n]*\n\s*\S")
_BEGUN = re.compile(rb"^(?:\xef\xbb\xbf)?[ \t\r\f\v]*[{\[]", re.MULTILINE)
_NOT_BLANK = re.compile(rb"[^ \t\r\n\f\v]")
_NOT_SPACE = re.compile(r"[^ \t\r\n]")
# Finds the end of an array's element, which `parse_strict` then reads. Python refuses to convert
# numbers of more than 4,300 digits: as texts they have an end too.
_ELEMENT = json.JSONDecoder(parse_int=str, parse_float=str)

# Files in Latin-1 or Windows-1252, as spreadsheets and older systems write them. A single line that
# is not UTF-8 among lines that are is a broken row instead.
MIN_LINE_SHARE = 0.01  # of the lines: fewer lines are broken rows of a UTF-8 file
# Bytes, on average: in Latin scripts letters outside ASCII rarely follow each other.
MAX_RUN_LENGTH = 2.0
# UTF-8 letters per undecodable byte: in Latin-1 two bytes are a UTF-8 letter by chance only.
MAX_UTF8_SHARE = 0.1
# Undecodable bytes are read as lone surrogates, U+DC80 to U+DCFF (PEP 383).
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_UNDECODABLE_RUN = re.compile("[\udc80-\udcff]+")
_LETTER = re.compile("[^\x00-\x7f\udc80-\udcff]")
_C1 = re.compile("[\udc80-\udc9f]")  # letters and quotes in Windows-1252, nothing in Latin-1
_IN_NEITHER = re.compile("[\0\udc81\udc8d\udc8f\udc90\udc9d]")


def is_table_data(data: bytes, path: Path, mapped: bool = False) -> bool:
    """Tell if a file is CSV or Parquet by name or first bytes, or is `mapped` and unlike JSON."""
    if (path.suffix.lower() in TABLE_SUFFIXES and not path.is_dir()) or data.startswith(b"PAR1"):
        return True
    return mapped and not _JSON_START.match(data[:1024].removeprefix(BOM))


def read_json_rows(data: bytes, columns: Columns | None = None) -> tuple[list[Row], list[Finding]]:
    """Return the rows of a file, and a finding with its line for everything that is not a row.

    Rows in another format than chat messages are converted, and a hint counts them; `columns` maps
    the fields of rows of no known format. After MAX_PROBLEMS findings one more counts the rest.
    """
    wrong = [text for magic, text in NOT_JSON_MAGIC.items() if data.startswith(magic)]
    if data[:100].count(0) > len(data[:100]) / 3:
        wrong.append("every other byte is NUL, as in UTF-16; save the file as UTF-8")
    if wrong:
        return [], [Finding(None, 1, "encoding", wrong[0])]
    rows, problems, formats = read_each(split_rows(data), lambda row, n: read_row(row, n, columns))
    if problems and (encoding_problem := encoding_finding(data)):
        return [], [encoding_problem]
    if not rows and len(problems) > 1 and not _BEGUN.search(data):
        reason = "no line begins with { or [: the file is text; one JSON object a line is needed"
        return [], [Finding(None, 1, "json", reason)]
    return rows, [*problems, *format_hints(formats)]


def read_each(
    lines: Iterable[tuple[int, T | Unreadable]], read: Callable[[T, int], tuple[RowFormat, Fields]]
) -> tuple[list[Row], list[Finding], list[RowFormat]]:
    """Return the rows that can be read, a finding for each other one, and the format of each row.

    `lines` has the first line of each and what `read` reads it from, or why there is none. The last
    of the findings counts those beyond MAX_PROBLEMS.
    """
    rows, problems, formats = list[Row](), list[Finding](), list[RowFormat]()
    unlisted = 0
    for line, row in lines:
        try:
            if isinstance(row, Unreadable):
                raise row
            row_format, fields = read(row, line)
            rows.append((line, fields))
            formats.append(row_format)
        except Unreadable as error:
            if len(problems) < MAX_PROBLEMS:
                problems.append(Finding(None, line, error.kind, error.evidence))
            else:
                unlisted += 1
    if unlisted:
        problems.append(Finding.of_dataset("unlisted", f"{unlisted:,} more rows are unreadable"))
    return rows, problems, formats


def format_hints(formats: Sequence[RowFormat]) -> Iterator[Finding]:
    """Yield a hint for each format but chat, with its number of rows if there are others."""
    counts = Counter(row_format.name for row_format in formats)
    # Where two have a name, that of rows of any values says it: of labels, a 2 among 0 and 1.
    by_name = {f.name: f for f in formats} | {f.name: f for f in formats if not f.accepts}
    for row_format in by_name.values():
        if row_format.hint:
            evidence = f"read as {row_format.name}: {row_format.hint}"
            if (count := counts[row_format.name]) < len(formats):
                evidence += f" ({count:,} of {len(formats):,} rows: the file mixes shapes)"
            yield Finding.dataset_hint("shape", evidence)


def read_row(row: bytes, line: int, columns: Columns | None = None) -> tuple[RowFormat, Fields]:
    """Return the format of a row that starts on `line`, and its fields; raise Unreadable."""
    try:
        text = str(row, "utf-8")
    except UnicodeDecodeError as error:
        location = f"byte {error.start + 1} of the row"
        raise Unreadable("encoding", f"{location} is not UTF-8; save the file as UTF-8") from None
    return to_messages(parse_strict(text, line), columns)


def split_rows(data: bytes) -> Iterator[tuple[int, bytes | Unreadable]]:
    """Yield the first line and the bytes of each row: elements of one array, else lines.

    Of an article of SQuAD's files each question is a row. Instead of bytes, an Unreadable says why
    the rest of an array cannot be read.
    """
    for line, row in _split_elements(data):
        if isinstance(row, bytes) and b'"qas"' in row and (questions := squad_questions(row)):
            yield from ((line, question) for question in questions)
        elif isinstance(row, bytes) and b'"resourceSpans"' in row:
            yield from ((line, span) for span in spans_of(row))
        else:
            yield line, row


def _split_elements(data: bytes) -> Iterator[tuple[int, bytes | Unreadable]]:
    start = len(BOM) if data.startswith(BOM) else 0
    first = _NOT_BLANK.search(data, start)
    if first and first[0] == b"[" and not _is_array_in_lines(data, first.start()):
        yield from _split_array(data)
        return
    if splits := split_arrays(data):
        names = ", ".join(splits)
        advice = "name one: Dataset.read(FILE, split), or data.train = FILE in the configuration"
        yield 1, Unreadable("shape", f"the file is one object of splits ({names}); {advice}")
        return
    if _TWO_LINES.match(data, start) and (members := _members(data)):
        names = ", ".join(ascii(name)[1:-1][:30] for name in [*members][:6])
        array = next((f": jq -c '.\"{name}\"[]' FILE" for name in members if members[name]), "")
        reason = f"the file is one JSON object ({names}); one row a line is needed{array}"
        yield 1, Unreadable("shape", reason)
        return
    # Only \n ends a line: U+2028, U+0085 and other line separators are legal in a JSON string.
    file = io.BytesIO(data)
    file.seek(start)
    for line, row in enumerate(file, start=1):
        if _NOT_BLANK.search(row):
            yield line, row.removesuffix(b"\n")


def split_arrays(data: bytes) -> dict[str, bytes]:
    """Return the array of each split if a file is one JSON object of splits; else nothing.

    The names are those of SPLIT_NAMES. The array begins behind as many line ends as in the file, so
    that its rows keep their lines.
    """
    if not any(b'"%s"' % name.encode() in data for name in _ALL_NAMES):
        return {}
    return {name: rows for name, rows in _members(data).items() if rows and name in _ALL_NAMES}


def _members(data: bytes) -> dict[str, bytes]:
    """Return the members of a file that is one JSON object: the bytes of arrays, else b""."""
    if not data[:4096].removeprefix(BOM).lstrip().startswith(b"{") or _JSON_LINES.match(data):
        return {}
    text = data.decode("utf-8-sig", "surrogateescape")
    members: dict[str, bytes] = {}
    end, letter = text.index("{"), ","
    try:
        while letter == ",":
            name, end = _ELEMENT.raw_decode(text, _skip_space(text, end + 1))
            colon = _skip_space(text, end)
            if not isinstance(name, str) or text[colon] != ":":
                return {}
            start = _skip_space(text, colon + 1)
            value, end = _ELEMENT.raw_decode(text, start)
            members[name] = b""
            if isinstance(value, list):
                lines = "\n" * text.count("\n", 0, start)
                members[name] = (lines + text[start:end]).encode("utf-8", "surrogateescape")
            end = _skip_space(text, end)
            letter = text[end]
    except (ValueError, IndexError, RecursionError):
        return {}
    return {} if letter != "}" or _NOT_SPACE.search(text, end + 1) else members


def _skip_space(text: str, start: int) -> int:
    found = _NOT_SPACE.search(text, start)
    return found.start() if found else len(text)


def select_split(data: bytes, split: str) -> bytes:
    """Return a split's array of a JSON object, or its only one (`data`); else the data itself."""
    arrays = split_arrays(data)
    names = SPLIT_NAMES.get(split, ())
    if len(arrays) == 1 and not arrays.keys() & {n for s in SPLIT_NAMES.values() for n in s}:
        names = tuple(arrays)
    return next((arrays[name] for name in names if name in arrays), data)


def unread_rows(data: bytes, split: str) -> list[Finding]:
    """Return a finding for arrays that are named after a split and not read: `oos_train`."""
    names, members = {*SPLIT_NAMES.get(split, ())}, _members(data)
    arrays = [n for n, rows in members.items() if _OF_ROWS.match(rows) and names & {*_PARTS(n)}]
    if len(arrays) < 2:
        return []
    every = ", ".join(f".{json.dumps(name)}[]" for name in arrays)
    unread = " and ".join(name for name in arrays if name not in names)
    reason = f"{unread} stands beside the {split} rows and is not read; write what is meant"
    return [Finding(None, 1, "shape", f"{reason}: jq -c '{every}' FILE > {split}.jsonl")]


def _is_array_in_lines(data: bytes, start: int) -> bool:
    """Tell JSONL whose first line is an array by mistake from a file that is one array."""
    end = data.find(b"\n", start)
    if end < 0 or not _NOT_BLANK.search(data, end):
        return False
    try:
        _ELEMENT.decode(data[start:end].decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return False
    return True


def _split_array(data: bytes) -> Iterator[tuple[int, bytes | Unreadable]]:
    """Yield the elements of a JSON array, up to the first that is no JSON."""
    # Bytes that are not UTF-8 become lone surrogates (PEP 383), and bytes again in their element.
    text = data.decode("utf-8-sig", "surrogateescape")
    line, position, previous, error = 1, 0, "", ""
    end = text.index("[")
    while not error:
        begin = _skip_space(text, end)
        line, position = line + text.count("\n", position, begin), begin
        letter = text[begin : begin + 1]
        if previous == "]":
            if not letter:
                return
            error = "nothing behind the array's closing bracket can be read"
        elif not letter:
            error = "the array is never closed: is the file cut off?"
        elif letter in ",]" or not previous:
            if previous == "," or (previous, letter) == ("[", ","):
                yield line, b""  # an element that is not there
            previous, end = letter, begin + 1
        elif previous == "element":
            error = "a comma is missing before this element; the array is read no further"
        else:
            try:
                end = _ELEMENT.raw_decode(text, begin)[1]
            except (ValueError, RecursionError):
                try:
                    parse_strict(text[begin:], line)  # raises too, with the better reason
                except Unreadable as reason:
                    error = f"{reason}; the array is read no further"
                continue
            yield line, text[begin:end].encode("utf-8", "surrogateescape")
            previous = "element"
    yield line, Unreadable("json", error)


def encoding_finding(data: bytes) -> Finding | None:
    """Return a finding if the bytes of a file are in Latin-1 or Windows-1252, else None."""
    detected = detect_wrong_encoding(data)
    return Finding(None, detected[0], "encoding", ": ".join(detected[1:])) if detected else None


def detect_wrong_encoding(data: bytes, name: str = "IN") -> tuple[int, str, str] | None:
    """Return (line, description, command) if a file is in Latin-1 or Windows-1252, else None.

    It is in one of them if bytes that are not UTF-8 stand on two lines or more, and on one line in
    100, mostly alone, and hardly any letter outside ASCII is UTF-8. The line is the first with such
    a byte, from 1; the command converts the file `name` to UTF-8.
    """
    if data.startswith(b"PAR1"):
        return None
    text = data.decode("utf-8", "surrogateescape")
    first = _UNDECODABLE.search(text)
    if first is None or _IN_NEITHER.search(text):
        return None
    bad_bytes = sum(1 for _ in _UNDECODABLE.finditer(text))
    bad_lines = sum(_UNDECODABLE.search(line) is not None for line in text.split("\n"))
    if bad_lines < max(2, MIN_LINE_SHARE * text.count("\n")):
        return None
    if bad_bytes > MAX_RUN_LENGTH * len(_UNDECODABLE_RUN.findall(text)):
        return None
    if sum(1 for _ in _LETTER.finditer(text)) > MAX_UTF8_SHARE * bad_bytes:
        return None
    before = text[: first.start()].encode("utf-8", "surrogateescape")
    line, byte = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    likely, code = ("Windows-1252", "cp1252") if _C1.search(text) else ("Latin-1", "latin1")
    location = f"byte {byte} of line {line:,} ({ord(first[0]) - 0xDC00:02X}) is not UTF-8"
    others = "is 1 more line" if bad_lines == 2 else f"are {bad_lines - 1:,} more lines"
    path = Path(name)
    out = path.with_name(f"{path.stem}.utf8{path.suffix}") if path.suffix else Path("OUT")
    command = f"iconv -f {code} -t utf-8 {quote(name)} > {quote(str(out))}"
    return line, f"{location}, nor {others}; the file is likely {likely}", command
