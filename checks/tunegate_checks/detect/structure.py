"""Find the cells of tables and the items of lists, with the header or heading that names them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from .context import Context


class Part(NamedTuple):
    """A cell or an item, `text[start:end]`; nothing but its header names a cell."""

    start: int
    end: int
    heading: str
    is_cell: bool


_DELIMITERS = "\t;|,"
_LINE = re.compile(r"(?m)^.*$")
_HEADER = re.compile(r"[*\"' ]*[^\W\d_][^\d(){}=<>:.!?]{0,39}|\s*")
_RULER = re.compile(r"[\s|:+\-]+")
# "CPFs:", "## Telefones", "**Contatos**"; and what stands below, with a bullet or without.
_HEADING = re.compile(r"\s*(?:(?:#+ |\*\*)[^\d:]{1,60}:?|[^\W\d_][^\d:]{0,60}:)[* ]*")
_ITEM = re.compile(
    r"\s*(?:[*+•\-–]|\d{1,3}[.)])\s+(?P<item>\S.*)|\s*(?P<bare>[\w+(][\w+()@./ \-]{3,40})"
)


@cache
def _cell_pattern(delimiter: str) -> re.Pattern[str]:
    d = re.escape(delimiter)
    return re.compile(rf'(?:^|{d})[ ]*"?(?P<v>(?<=")[^"]*|[^{d}"]*)"?[^{d}]*')


def _cells(line: str, delimiter: str) -> list[tuple[int, int]]:
    return [m.span("v") for m in _cell_pattern(delimiter).finditer(line)]


def _header(line: str) -> tuple[str, list[str]] | None:
    """Return the delimiter and the names of a header; one of them at least is a label."""
    for delimiter in _DELIMITERS:
        if delimiter in line:
            names = [line[start:end].strip() for start, end in _cells(line, delimiter)]
            if len(names) > 1 and all(_HEADER.fullmatch(name) for name in names):
                return (delimiter, names) if Context(" ".join(names)).labels else None
    return None


def parts_of(text: str) -> Iterator[Part]:
    """Yield the cells of each table of a text, and the items of each list below a heading."""
    table: tuple[str, list[str]] | None = None
    heading = ""
    for match in _LINE.finditer(text) if "\n" in text else ():
        start, line = match.start(), match[0]
        if not line.strip():
            table = None
            continue
        if table:
            cells = _cells(line, table[0])
            if len(cells) == len(table[1]):
                for name, (a, b) in zip(table[1], cells, strict=True):
                    if name and b > a:
                        yield Part(start + a, start + b, name, True)
                continue
            if _RULER.fullmatch(line):
                continue
        item = _ITEM.fullmatch(line) if heading else None
        if item:
            a, b = item.span(str(item.lastgroup))
            yield Part(start + a, start + b, heading, False)
            continue
        table = _header(line)
        heading = line.strip(" #*:") if _HEADING.fullmatch(line) else ""
