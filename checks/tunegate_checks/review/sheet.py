"""The sheet that a reviewer fills in: CSV that a spreadsheet opens, and that is safe to open.

It begins with a byte order mark, without which Excel takes UTF-8 for something else. A text that
does not begin with a letter has an apostrophe put before it: one that begins with = + - or @ would
be run as a formula (OWASP, CSV Injection), and 1/2 would become a date. Reading takes it off again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tunegate.data.dataset import Dataset, Example
from tunegate.utils.atomic import atomic_write

from .sample import row_id

REVIEWER_COLUMNS = ("verdict", "reviewer", "note")
COLUMNS = ("digest", "file", "seed", "line", "id", "system", "prompt", "reply", *REVIEWER_COLUMNS)
TEXT_COLUMNS = ("system", "prompt", "reply")
REQUIRED_COLUMNS = tuple(name for name in COLUMNS if name not in (*TEXT_COLUMNS, "file", "note"))
VERDICTS = ("ok", "wrong")
MAX_CELL_LETTERS = 32_000  # characters: Excel keeps 32,767 of a cell


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """One row of a sheet, `place` being its number in the spreadsheet: the heading is row 1."""

    sheet_row: int
    line: str
    id: str
    verdict: str
    reviewer: str
    note: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as it was read: of which bytes (sha256) and file, drawn with which seed."""

    path: Path
    digest: str
    file: str
    seed: int
    entries: tuple[SheetEntry, ...]

    @property
    def filled_count(self) -> int:
        """How many rows somebody has written into."""
        return sum(bool(e.verdict or e.reviewer or e.note) for e in self.entries)


def to_cell(text: str) -> str:
    """Return a text as a cell that a spreadsheet shows as it is, and runs nothing of."""
    shortened = (
        text
        if len(text) <= MAX_CELL_LETTERS
        else f"{text[:MAX_CELL_LETTERS]} ... (cut: see the line of the file)"
    )
    return shortened if not shortened or shortened[0].isalpha() else f"'{shortened}"


def from_cell(cell: str) -> str:
    """Return the text of a cell."""
    return cell.removeprefix("'")


def write_sheet(
    path: Path, dataset: Dataset, examples: Iterable[Example], seed: int, separator: str = ","
) -> None:
    """Write a sheet to be filled in, whole or not at all.

    Raises ValueError where a file stands there that is no such sheet, or that somebody has begun to
    fill in.
    """
    if path.exists() and (n := read_sheet(path).filled_count):
        raise ValueError(f"{path} is filled in ({n:,} rows): it stays; -o names another file")
    text = io.StringIO()
    table = csv.writer(text, delimiter=separator, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for e in examples:
        cells = (to_cell(t) for t in (e.system, e.prompt, e.reply))
        keys = (f"sha256:{dataset.digest}", to_cell(dataset.path.name), seed, e.line, row_id(e))
        table.writerow([*keys, *cells, "", "", ""])
    data = text.getvalue().encode("utf-8-sig", "replace")
    atomic_write(path, data, mode=0o600)  # it holds rows of the data


def read_sheet(path: Path) -> Sheet:
    """Read a sheet; raises ValueError naming the file, and what is wrong where."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8; save it as “CSV UTF-8”") from None
    try:
        rows = list(_sheet_rows(path, text))
    except csv.Error as error:
        raise ValueError(f"{path} is not CSV: {error}") from None
    if not rows:
        raise ValueError(f"{path} has no rows; `tunegate review sample` draws them")
    _, first = rows[0]
    for place, row in rows:
        for name in ("digest", "seed"):
            if row[name] != first[name]:
                raise ValueError(f"{path}, row {place}: {name} {row[name]!r} is not that of row 2")
    if not first["seed"].isascii() or not first["seed"].lstrip("-").isdigit():
        raise ValueError(f"{path}, row 2: seed {first['seed']!r} is not a whole number")
    entries = tuple(
        SheetEntry(n, r["line"], r["id"], r["verdict"].lower(), r["reviewer"], r.get("note", ""))
        for n, r in rows
    )
    digest, file = first["digest"].removeprefix("sha256:"), from_cell(first.get("file", ""))
    return Sheet(path, digest, file, int(first["seed"]), entries)


def _sheet_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    # A spreadsheet saves with the separator of its country.
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    names = [name.strip().lower() for name in next(table, [])]
    if missing := [name for name in REQUIRED_COLUMNS if name not in names]:
        raise ValueError(f"{path} has no column {missing[0]!r}; it is no sheet of a review")
    for place, cells in enumerate(table, start=2):
        row = dict(zip(names, (c.strip() for c in cells), strict=False))
        if any(row.values()):
            yield place, {name: row.get(name, "") for name in COLUMNS}
