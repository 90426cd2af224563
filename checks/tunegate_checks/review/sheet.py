"""Write and read the sheet that a reviewer fills in: CSV that is safe to open in a spreadsheet.

It begins with a byte order mark, since Excel reads UTF-8 without one as another encoding. A text
that does not begin with a letter gets an apostrophe before it: a spreadsheet would run a text that
begins with = + - or @ as a formula (OWASP, CSV Injection), and turn 1/2 into a date.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tunegate.data.dataset import Dataset, Example
from tunegate.data.tables import detect_delimiter
from tunegate.utils.atomic import atomic_write

from .sample import row_id

REVIEWER_COLUMNS = ("correction", "verdict", "reviewer", "note")
COLUMNS = ("digest", "file", "seed", "line", "id", "system", "prompt", "reply", *REVIEWER_COLUMNS)
TEXT_COLUMNS = ("system", "prompt", "reply")
OPTIONAL_COLUMNS = (*TEXT_COLUMNS, "file", "note", "correction")
REQUIRED_COLUMNS = tuple(name for name in COLUMNS if name not in OPTIONAL_COLUMNS)
VERDICTS = ("ok", "wrong", "unsure")
MAX_CELL_LETTERS = 32_000  # Excel keeps 32,767 characters of a cell


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """One row of a sheet; `sheet_row` is its number in the spreadsheet: the header is row 1."""

    sheet_row: int
    line: str
    id: str
    verdict: str = ""
    reviewer: str = ""
    note: str = ""
    correction: str = ""  # the reply that a wrong row should have


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: the sha256 and the name of the file that it was drawn from, the seed, its rows."""

    path: Path
    digest: str
    file: str
    seed: int
    entries: tuple[SheetEntry, ...]

    @property
    def filled_count(self) -> int:
        """How many rows have something of a reviewer."""
        return sum(any(getattr(e, name) for name in REVIEWER_COLUMNS) for e in self.entries)


def to_cell(text: str) -> str:
    """Return a text as a cell that a spreadsheet neither runs nor converts."""
    if len(text) > MAX_CELL_LETTERS:
        text = f"{text[:MAX_CELL_LETTERS]} ... (cut: see the line of the file)"
    return text if not text or text[0].isalpha() else f"'{text}"


def from_cell(cell: str) -> str:
    """Return the text of a cell that `to_cell` has written."""
    return cell.removeprefix("'")


def write_sheet(
    path: Path, dataset: Dataset, examples: Iterable[Example], seed: int, separator: str = ","
) -> None:
    """Write a sheet to be filled in, mode 0600; raises ValueError where it would replace others."""
    if path.exists() and (n := read_sheet(path).filled_count):
        raise ValueError(f"{path} is filled in ({n:,} rows): it stays; -o names another file")
    write_filled(path, dataset, examples, seed, {}, separator)


def write_filled(
    path: Path, dataset: Dataset, examples: Iterable[Example], seed: int,
    filled: Mapping[str, SheetEntry], separator: str = ",",
) -> None:  # fmt: skip
    """Write a sheet, also over one that is there, with what was said of rows, by their ids."""
    text = io.StringIO()
    table = csv.writer(text, delimiter=separator, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for e in examples:
        cells = (to_cell(t) for t in (e.system, e.prompt, e.reply))
        keys = (f"sha256:{dataset.digest}", to_cell(dataset.path.name), seed, e.line, row_id(e))
        said = filled.get(row_id(e), SheetEntry(0, "", ""))
        table.writerow([*keys, *cells, *(to_cell(getattr(said, c)) for c in REVIEWER_COLUMNS)])
    data = text.getvalue().encode("utf-8-sig", "replace")
    atomic_write(path, data, mode=0o600)  # the rows may contain personal data


def read_sheet(path: Path) -> Sheet:
    """Read a sheet; raise ValueError with the file, the row and what is wrong there."""
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
    for sheet_row, row in rows:
        for name in ("digest", "seed"):
            if row[name] != first[name]:
                problem = f"{name} {row[name]!r} is not that of row 2"
                raise ValueError(f"{path}, row {sheet_row}: {problem}")
    if not first["seed"].isascii() or not first["seed"].lstrip("-").isdigit():
        raise ValueError(f"{path}, row 2: seed {first['seed']!r} is not a whole number")
    entries = tuple(
        SheetEntry(
            n, r["line"], r["id"], r["verdict"].lower(), r["reviewer"], from_cell(r["note"]),
            from_cell(r["correction"]),
        )
        for n, r in rows
    )  # fmt: skip
    digest, file = first["digest"].removeprefix("sha256:"), from_cell(first.get("file", ""))
    return Sheet(path, digest, file, int(first["seed"]), entries)


def _sheet_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each row that is not blank, with its cells by column name."""
    # A spreadsheet saves with the separator of its locale.
    delimiter = detect_delimiter(text.partition("\n")[0])
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    names = [name.strip().lower() for name in next(table, [])]
    if missing := [name for name in REQUIRED_COLUMNS if name not in names]:
        raise ValueError(f"{path} has no column {missing[0]!r}; it is no sheet of a review")
    for sheet_row, cells in enumerate(table, start=2):
        row = dict(zip(names, (c.strip() for c in cells), strict=False))
        if any(row.values()):
            yield sheet_row, {name: row.get(name, "") for name in COLUMNS}
