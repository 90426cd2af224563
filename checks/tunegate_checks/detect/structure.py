"""Find the cells of tables and the items of lists, with the header or heading that names them."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from .context import Context, fold_word
from .rules import PASSWORD_NAME
from .vocabulary import LABELS, OTHER_FAMILY


class Part(NamedTuple):
    """A cell or an item, `text[start:end]`; a header can say that a cell `is_of_other` meaning."""

    start: int
    end: int
    heading: str
    is_of_other: bool = False


# A line of names, and of nothing that code or a sentence has; a table or a list may stand below it.
_TOP = re.compile(r"^[^\d(){}=<>.!?\[\]\n]{3,400}+$", re.MULTILINE)
_LINE = re.compile(r"^.*$", re.MULTILINE)
# By the delimiter of a table.
_CELL = {d: re.compile(rf'(?:^|[{d}])[ ]*"?(?P<v>(?<=")[^"]*|[^{d}"]*)"?[^{d}]*') for d in "\t;|,"}
_HEADER = re.compile(r"[*\"' ]*[^\W\d_].{0,39}|\s*")
# What a header can name that is no family of labels.
_NAMED = {
    "name": re.compile(r"nome|name|nombre|\bnom\b|cliente|customer", re.IGNORECASE),
    "password": re.compile(PASSWORD_NAME, re.IGNORECASE),
}
_RULER = re.compile(r"[\s|:+\-]+")
# "CPFs:", "## Telefones", "**Contatos**"; and what stands below, with a bullet or without.
_HEADING = re.compile(r"\s*+(?:(?:#+ |\*\*)[^:]{1,60}:?|[^\W\d_][^:]{0,60}+:)[* ]*")
_ITEM = re.compile(
    r"\s*+(?:(?:[*+•\-–]|\d{1,3}[.)])\s+(?P<item>\S.*)"
    r"|(?P<bare>(?=\D*\d)[\w+(][\w+()@./ \-]{3,40}+))"
)


def parts_of(text: str) -> Iterator[Part]:
    """Yield the cells of each table of a text, and the items of each list below a heading."""
    below = 0  # where the last table or list ends
    for top in _TOP.finditer(text) if "\n" in text else ():
        if top.start() >= below:
            delimiters = [d for d in _CELL if d in top[0]]
            for part in (delimiters and _table(text, top, delimiters[0])) or _list(text, top):
                below = part.end
                yield part


@lru_cache(maxsize=4096)
def _families(cell: str) -> frozenset[str]:
    found = Context(cell).families
    return frozenset(found or (kind for kind, pattern in _NAMED.items() if pattern.search(cell)))


def _table(text: str, top: re.Match[str], delimiter: str) -> list[Part]:
    """Return the cells below a header of two names or more, of which one is a label."""
    line_below = text[top.end() + 1 :].partition("\n")[0]
    if line_below.count(delimiter) < top[0].count(delimiter):
        return []
    names = [cell["v"].strip() for cell in _CELL[delimiter].finditer(top[0])]
    is_header = len(names) > 1 and all(map(_HEADER.fullmatch, names))
    if not is_header or not any(map(_families, names)):
        return []
    parts = list[Part]()
    for line in _LINE.finditer(text, top.end() + 1):
        cells = [cell.span("v") for cell in _CELL[delimiter].finditer(line[0])]
        if len(cells) == len(names):
            # The words that begin the line name its values too: first, where they are no name.
            key, of_key, is_label = "", frozenset[str](), False
            for name, (a, b) in zip(names, cells, strict=True):
                cell, of_name = line[0][a:b].strip(), _families(name)
                is_other = of_name == {OTHER_FAMILY} and of_key <= {OTHER_FAMILY, "name"}
                is_of_name = not of_key or (of_name - {OTHER_FAMILY} and not is_label)
                heading = name if is_of_name else f"{name}: {key}"
                if name and fold_word(cell) not in LABELS:
                    parts.append(Part(line.start() + a, line.start() + b, heading, is_other))
                if not key and re.fullmatch(r"\D*[^\W\d_]\D*", cell):
                    key, of_key = cell, _families(cell)
                    is_word = fold_word(cell) in LABELS or "password" in of_key
                    is_label = is_word and "name" in of_name and OTHER_FAMILY not in of_key
        elif not _RULER.fullmatch(line[0]):
            break
    return [part for part in parts if part.start < part.end]


def _list(text: str, top: re.Match[str]) -> list[Part]:
    """Return the items below a heading, up to another line."""
    parts = list[Part]()
    for line in _LINE.finditer(text, top.end() + 1) if _HEADING.fullmatch(top[0]) else ():
        item = _ITEM.fullmatch(line[0])
        if item:
            a, b = item.span(str(item.lastgroup))
            heading = top[0].strip(" #*:")
            parts.append(Part(line.start() + a, line.start() + b, heading))
        elif line[0].strip():
            break
    return parts
