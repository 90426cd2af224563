"""What of a dataset was reviewed, by whom, and how much of it was wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunegate.dataset import Dataset
from tunegate.score import wilson

from . import sheet
from .sample import in_drawing_order, population, row_id
from .sheet import VERDICTS, Entry, Sheet

FOLDER = "reviews"


@dataclass
class Reviewed:
    """The reviews of one dataset: `verdicts` by row (True: wrong), of `n` rows to draw from.

    `faults` are what is wrong with sheets of this dataset, `pending` those not filled in yet, and
    `others` those that were drawn from other bytes of a file of this name: none of them counts.
    """

    n: int
    verdicts: dict[int, bool] = field(default_factory=dict)
    by: list[str] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)  # line and note of each wrong row
    faults: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """How many reviewed rows are wrong."""
        return sum(self.verdicts.values())

    @property
    def share(self) -> float:
        """The share that was reviewed, 0..1."""
        return len(self.verdicts) / self.n if self.n else 0.0

    @property
    def errors(self) -> float:
        """The share of the reviewed rows that is wrong, 0..1."""
        return self.wrong / len(self.verdicts) if self.verdicts else 0.0

    def told(self) -> str:
        """Return the share reviewed, by whom, and the errors with their 95 % interval (Wilson)."""
        if not self.verdicts:
            return "no row was reviewed by a person"
        low, high = (100 * bound for bound in wilson(self.wrong, len(self.verdicts)))
        rows = f"{len(self.verdicts):,} of {self.n:,} rows ({100 * self.share:.3g} %)"
        wrong = f"{100 * self.errors:.2g} % wrong (95 % interval {low:.2g} to {high:.2g} %)"
        return f"{rows} reviewed by {', '.join(self.by)}: {wrong}"


def reviewed(dataset: Dataset, folder: Path, *, generated: bool = False) -> Reviewed:
    """Gather the verdicts of every sheet in a folder that was drawn from just these bytes.

    A sheet counts when it holds the rows that digest and seed draw, no others, and each has a
    verdict and a reviewer. A row that one of several reviewers found wrong is wrong.
    """
    rows = population(dataset, generated)
    found = Reviewed(len(rows))
    for path in sorted(folder.glob("*.csv")):
        try:
            one = sheet.read(path)
        except (ValueError, OSError) as error:
            # Told from the project: the same words, and so the same finding, on every machine.
            found.faults.append(str(error).replace(str(path), _name(path)))
            continue
        if one.digest != dataset.digest:
            if one.file == dataset.path.name:
                found.others.append(f"{_name(path)} is of other bytes: it does not count")
        else:
            _count(found, one, dataset, rows)
    found.by = sorted(set(found.by))
    return found


def _count(found: Reviewed, one: Sheet, dataset: Dataset, rows: Sequence[int]) -> None:
    drawn = in_drawing_order(dataset, rows, one.seed)[: len(one.entries)]
    places = {(str(dataset[r].line), row_id(dataset[r])): r for r in drawn}
    if sorted(places) != sorted((e.line, e.id) for e in one.entries):
        found.faults.append(
            f"{_name(one.path)} does not hold the rows that seed {one.seed} draws; draw again"
        )
        return
    faults = list(_faults(one))
    missing = sum(not e.verdict for e in one.entries)
    if missing:
        have = "has" if missing == 1 else "have"
        rest = f"{missing:,} of {len(one.entries):,} rows {have} no verdict yet"
        found.pending.append(f"{_name(one.path)}: {rest}; it counts when all have")
    found.faults += faults
    if faults or missing:
        return
    for e in one.entries:
        row = places[e.line, e.id]
        found.verdicts[row] = found.verdicts.get(row, False) or e.verdict == "wrong"
        found.by.append(e.reviewer)
        if e.verdict == "wrong":
            found.notes.append((dataset[row].line, e.note))


def _faults(one: Sheet) -> Iterator[str]:
    for e in one.entries:
        if e.verdict and e.verdict not in VERDICTS:
            yield f"{_at(one, e)}: verdict {e.verdict[:40]!r}; {' or '.join(VERDICTS)} is valid"
        elif e.verdict and not e.reviewer:
            yield f"{_at(one, e)}: no reviewer; write who gave the verdict"


def _at(one: Sheet, entry: Entry) -> str:
    return f"{_name(one.path)}, row {entry.place}"


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
