"""A text file that is not UTF-8 from end to end: told once, with the command that mends it.

Latin-1 and Windows-1252 are what spreadsheets and older systems write. One line among UTF-8 that is
not UTF-8 is another thing: a broken line, which whoever reads the file names.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from pathlib import Path
from shlex import quote

from ..errors import ConfigError
from ..results.finding import Finding

CHUNK_BYTES = 2**20  # bytes
MIN_LINE_SHARE = 0.01  # of the lines: fewer are broken ones in a file of another encoding
MAX_RUN_LENGTH = (
    2.0  # bytes: letters beside ASCII follow each other in other scripts, in Latin ones hardly
)
MAX_UTF8_SHARE = (
    0.1  # letters of UTF-8 for each byte that is none: in Latin-1 a pair is UTF-8 by chance only
)
# Undecodable bytes are read as lone surrogates, U+DC80 to U+DCFF (PEP 383).
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_UNDECODABLE_RUN = re.compile("[\udc80-\udcff]+")
_LETTER = re.compile("[^\x00-\x7f\udc80-\udcff]")
_C1 = re.compile("[\udc80-\udc9f]")  # letters and quotes in Windows-1252, nothing in Latin-1
_IN_NEITHER = re.compile("[\0\udc81\udc8d\udc8f\udc90\udc9d]")


def encoding_finding(data: bytes) -> Finding | None:
    """Return what is wrong with a file in Latin-1 or Windows-1252; None where it is in neither."""
    if (detected := detect_wrong_encoding(data)) is None:
        return None
    line, description, command = detected
    return Finding(None, line, "encoding", f"{description}: {command}")


def detect_wrong_encoding(data: bytes, name: str = "IN") -> tuple[int, str, str] | None:
    """Return line, what is wrong, and the command that mends it; None for other encodings.

    A file is in Latin-1 or Windows-1252 where bytes on two lines or more, and on one in a hundred,
    are no UTF-8, where they stand by themselves, and hardly any letters beside ASCII are UTF-8.
    """
    if data.startswith(b"PAR1") or _is_utf8(data):
        return None
    text = data.decode("utf-8", "surrogateescape")
    first = _UNDECODABLE.search(text)
    if first is None or _IN_NEITHER.search(text):
        return None
    bad = sum(1 for _ in _UNDECODABLE.finditer(text))
    lines = sum(_UNDECODABLE.search(line) is not None for line in text.split("\n"))
    if lines < max(2, MIN_LINE_SHARE * text.count("\n")) or bad > MAX_RUN_LENGTH * len(
        _UNDECODABLE_RUN.findall(text)
    ):
        return None
    if sum(1 for _ in _LETTER.finditer(text)) > MAX_UTF8_SHARE * bad:
        return None
    before = text[: first.start()].encode("utf-8", "surrogateescape")
    line, byte = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    likely, code = ("Windows-1252", "cp1252") if _C1.search(text) else ("Latin-1", "latin1")
    location = f"byte {byte} of line {line:,} ({ord(first[0]) - 0xDC00:02X}) is not UTF-8"
    others = "is 1 more line" if lines == 2 else f"are {lines - 1:,} more lines"
    rest = f"nor {others}; the file is likely {likely}"
    return line, f"{location}, {rest}", _conversion_command(name, code)


def _is_utf8(data: bytes) -> bool:
    """Piece by piece: of a good file no second copy is made."""
    decoder, view = getincrementaldecoder("utf-8")(), memoryview(data)
    try:
        for start in range(0, len(data), CHUNK_BYTES):
            decoder.decode(view[start : start + CHUNK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _conversion_command(name: str, code: str) -> str:
    path = Path(name)
    out = path.with_name(f"{path.stem}.utf8{path.suffix}") if path.suffix else Path("OUT")
    return f"iconv -f {code} -t utf-8 {quote(name)} > {quote(str(out))}"


def check_encoding(path: Path) -> None:
    """Raise ConfigError where a file is in Latin-1 or Windows-1252."""
    if detected := detect_wrong_encoding(path.read_bytes(), str(path)):
        raise ConfigError(f"{path}: {detected[1]}:\n  {detected[2]}")
