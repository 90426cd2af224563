"""Detects files in Latin-1 or Windows-1252, and names the command that converts them to UTF-8.

Spreadsheets and older systems write these encodings. A single line that is not UTF-8 among lines
that are is a broken row instead: the readers report it.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from pathlib import Path
from shlex import quote

from ..errors import ConfigError
from ..results.finding import Finding

CHUNK_BYTES = 2**20
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


def encoding_finding(data: bytes) -> Finding | None:
    """Return a finding if the bytes of a file are in Latin-1 or Windows-1252, else None."""
    if detected := detect_wrong_encoding(data):
        line, description, command = detected
        return Finding(None, line, "encoding", f"{description}: {command}")
    return None


def detect_wrong_encoding(data: bytes, name: str = "IN") -> tuple[int, str, str] | None:
    """Return (line, description, command) if a file is in Latin-1 or Windows-1252, else None.

    It is in one of them if bytes that are not UTF-8 stand on two lines or more, and on one line in
    100, mostly alone, and hardly any letter outside ASCII is UTF-8. The line is the first with such
    a byte, from 1; the command converts the file `name` to UTF-8.
    """
    if data.startswith(b"PAR1") or _is_utf8(data):
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


def _is_utf8(data: bytes) -> bool:
    # Decoded in chunks, so that no second copy of a large file is made.
    decoder, view = getincrementaldecoder("utf-8")(), memoryview(data)
    try:
        for start in range(0, len(data), CHUNK_BYTES):
            decoder.decode(view[start : start + CHUNK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def check_encoding(path: Path) -> None:
    """Raise ConfigError if a file is in Latin-1 or Windows-1252."""
    if detected := detect_wrong_encoding(path.read_bytes(), str(path)):
        raise ConfigError(f"{path}: {detected[1]}:\n  {detected[2]}")
