"""Draw the rows that people review; write and read the sheet that a reviewer fills in.

A sheet is CSV with a byte order mark, without which Excel takes UTF-8 for another encoding. A text
that does not begin with a letter gets an apostrophe before it: a spreadsheet would run = + - or @
as a formula (OWASP, CSV Injection), and turn 1/2 into a date.
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from tunegate.checking.decorator import row_fingerprint
from tunegate.data.canonical import calls_json
from tunegate.data.dataset import Dataset, Example
from tunegate.data.tables import detect_delimiter
from tunegate.utils.files import atomic_write, sha256_bytes

REVIEWER_COLUMNS = ("correction", "verdict", "reviewer", "note")
TEXT_COLUMNS = ("system", "prompt", "reply", *REVIEWER_COLUMNS)
REQUIRED_COLUMNS = ("digest", "seed", "line", "id", "verdict", "reviewer")
COLUMNS = ("digest", "file", "seed", "line", "id", *TEXT_COLUMNS)
VERDICTS = ("ok", "wrong", "unsure")
MAX_CELL_LETTERS = 32_000  # Excel keeps 32,767 characters of a cell
CALLS_MARK = "tool calls: "  # before a reply that is no text
CUT_MARK = " ... (cut: see the line of the file)"


def is_generated(example: Example) -> bool:
    """Tell whether a row is marked as written by a model: `"generated": true`."""
    value = example.fields.get("generated")
    # From a CSV it is a text.
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def population(dataset: Dataset, generated: bool = False) -> list[int]:
    """Return the rows to draw from: all if `generated` or none is marked so, else the marked."""
    generated_rows = [e.row for e in dataset if is_generated(e)]
    return list(range(len(dataset))) if generated or not generated_rows else generated_rows


def draw_order(dataset: Dataset, rows: Sequence[int], seed: int) -> list[int]:
    """Return rows in a random order by the dataset's digest and seed alone: the same everywhere."""
    keys = {row: f"{dataset.digest} {seed} {row}".encode() for row in rows}
    return sorted(rows, key=lambda row: sha256_bytes(keys[row]))


def sample_size(n: int, share: float) -> int:
    """Return the smallest number of rows that is at least a share, 0..1, of n rows."""
    return math.ceil(n * share - 1e-9)


def row_id(example: Example) -> str:
    """Return the id of a row, made of its content; "r" keeps spreadsheets from reading a number."""
    return f"r{row_fingerprint(example)[:12]}"


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """One row of a sheet; `sheet_row` is its number in the spreadsheet: the header is row 1."""

    sheet_row: int
    line: str
    id: str
    system: str = ""
    prompt: str = ""
    reply: str = ""
    correction: str = ""  # the reply that it should be
    verdict: str = ""
    reviewer: str = ""
    note: str = ""
    cells: tuple[str, ...] = ()  # of all columns, as they were read


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: the sha256 and the name of the file that it was drawn from, the seed, its rows."""

    path: Path
    digest: str
    file: str
    seed: int
    entries: tuple[SheetEntry, ...]
    separator: str = ","
    header: tuple[str, ...] = COLUMNS  # a reviewer may add columns, and order them otherwise

    @property
    def filled_count(self) -> int:
        """How many rows have something of a reviewer."""
        return sum(any(getattr(e, name) for name in REVIEWER_COLUMNS) for e in self.entries)


def to_cell(text: str) -> str:
    """Return a text as a cell that a spreadsheet neither runs nor converts."""
    if len(text) > MAX_CELL_LETTERS:
        text = text[:MAX_CELL_LETTERS] + CUT_MARK
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
    entries = []
    for e in examples:
        calls = calls_json(e.messages[-1:])
        reply = e.reply or CALLS_MARK * bool(calls) + calls
        entries.append(SheetEntry(0, str(e.line), row_id(e), e.system, e.prompt, reply))
    save_sheet(Sheet(path, dataset.digest, dataset.path.name, seed, tuple(entries), separator))


def save_sheet(sheet: Sheet) -> None:
    """Write a sheet to its path, mode 0600, in place of what is there."""
    text = io.StringIO()
    table = csv.writer(text, delimiter=sheet.separator, lineterminator="\r\n")
    table.writerow(sheet.header)
    for e in sheet.entries:
        keys = (f"sha256:{sheet.digest}", to_cell(sheet.file), sheet.seed, e.line, e.id)
        texts = (to_cell(getattr(e, name)) for name in TEXT_COLUMNS)
        known = dict(zip(COLUMNS, (*keys, *texts), strict=True))
        cells = zip_longest(sheet.header, e.cells, fillvalue="")
        table.writerow([known.get(name, cell) for name, cell in cells])
    data = text.getvalue().encode("utf-8-sig", "replace")
    atomic_write(sheet.path, data, mode=0o600)  # the rows may contain personal data


def read_sheet(path: Path) -> Sheet:
    """Read a sheet; raise ValueError with the file, the row and what is wrong there."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8; save it as “CSV UTF-8”") from None
    # A spreadsheet saves with the separator of its locale.
    separator = detect_delimiter(text.partition("\n")[0])
    try:
        header, *table = [*csv.reader(io.StringIO(text, newline=""), delimiter=separator)] or [[]]
    except csv.Error as error:
        raise ValueError(f"{path} is not CSV: {error}") from None
    names = [low if (low := name.strip().lower()) in COLUMNS else name for name in header]
    if missing := [name for name in REQUIRED_COLUMNS if name not in names]:
        raise ValueError(f"{path} has no column {missing[0]!r}; it is no sheet of a review")
    spare = max(map(len, table), default=0) - len(names)  # cells behind the last name
    names += [*[""] * spare, *(name for name in COLUMNS if name not in names)]
    rows = [
        (n, dict(zip_longest(names, map(str.strip, cells), fillvalue="")), tuple(cells))
        for n, cells in enumerate(table, start=2)
        if any(map(str.strip, cells))
    ]
    if not rows:
        raise ValueError(f"{path} has no rows; `tunegate review sample` draws them")
    first = rows[0][1]
    for sheet_row, row, _ in rows:
        row["verdict"] = row["verdict"].lower()
        for name in ("digest", "seed"):
            if row[name] != first[name]:
                problem = f"{name} {row[name]!r} is not that of row 2"
                raise ValueError(f"{path}, row {sheet_row}: {problem}")
    if not first["seed"].isascii() or not first["seed"].lstrip("-").isdigit():
        raise ValueError(f"{path}, row 2: seed {first['seed']!r} is not a whole number")
    entries = tuple(
        SheetEntry(n, r["line"], r["id"], **{c: from_cell(r[c]) for c in TEXT_COLUMNS}, cells=cells)
        for n, r, cells in rows
    )
    digest, file = first["digest"].removeprefix("sha256:"), from_cell(first["file"])
    return Sheet(path, digest, file, int(first["seed"]), entries, separator, tuple(names))


def corrections(folder: Path) -> dict[str, SheetEntry]:
    """Return a folder's corrections by row id, which is made of content: it holds in new versions.

    Raises ValueError where reviewers write different replies, a sheet had cut one or is unreadable.
    """
    found: dict[str, SheetEntry] = {}
    for sheet in map(read_sheet, sorted(folder.glob("*.csv"))):
        for entry in (e for e in sheet.entries if e.correction not in ("", e.reply)):
            place = f"{sheet.path}, row {entry.sheet_row}"
            if CUT_MARK in entry.reply + entry.correction:
                raise ValueError(f"{place}: the sheet had cut the reply: correct it in the file")
            if (other := found.setdefault(entry.id, entry)).correction != entry.correction:
                names = f"{other.reviewer} and {entry.reviewer}"
                raise ValueError(f"{place}: {names} correct it otherwise")
    return found
