"""What of a dataset was reviewed, by whom, and how much of it was wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunegate.data.dataset import Dataset
from tunegate.results.intervals import wilson

from . import sheet
from .sample import draw_order, population, row_id
from .sheet import VERDICTS, Sheet, SheetEntry

REVIEWS_FOLDER = "reviews"


@dataclass
class ReviewStatus:
    """The reviews of one dataset: `verdicts` by row (True: wrong), of `n` rows to draw from.

    `faults` are what is wrong with sheets of this dataset, `pending` those not filled in yet, and
    `others` those that were drawn from other bytes of a file of this name: none of them counts.
    """

    n: int
    verdicts: dict[int, bool] = field(default_factory=dict)
    reviewers: list[str] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)  # line and note of each wrong row
    faults: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    other_sheets: list[str] = field(default_factory=list)

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

    def summary(self) -> str:
        """Return the share reviewed, by whom, and the errors with their 95 % interval (Wilson)."""
        if not self.verdicts:
            return "no row was reviewed by a person"
        low, high = (100 * bound for bound in wilson(self.wrong, len(self.verdicts)))
        rows = f"{len(self.verdicts):,} of {self.n:,} rows ({100 * self.share:.3g} %)"
        wrong = f"{100 * self.errors:.2g} % wrong (95 % interval {low:.2g} to {high:.2g} %)"
        return f"{rows} reviewed by {', '.join(self.reviewers)}: {wrong}"


def review_status(dataset: Dataset, folder: Path, *, generated: bool = False) -> ReviewStatus:
    """Gather the verdicts of every sheet in a folder that was drawn from just these bytes.

    A sheet counts when it holds the rows that digest and seed draw, no others, and each has a
    verdict and a reviewer. A row that one of several reviewers found wrong is wrong.
    """
    rows = population(dataset, generated)
    status = ReviewStatus(len(rows))
    for path in sorted(folder.glob("*.csv")):
        try:
            review_sheet = sheet.read_sheet(path)
        except (ValueError, OSError) as error:
            # Told from the project: the same words, and so the same finding, on every machine.
            status.faults.append(str(error).replace(str(path), _short_name(path)))
            continue
        if review_sheet.digest != dataset.digest:
            if review_sheet.file == dataset.path.name:
                status.other_sheets.append(
                    f"{_short_name(path)} is of other bytes: it does not count"
                )
        else:
            _count_sheet(status, review_sheet, dataset, rows)
    status.reviewers = sorted(set(status.reviewers))
    return status


def _count_sheet(
    status: ReviewStatus, review_sheet: Sheet, dataset: Dataset, rows: Sequence[int]
) -> None:
    drawn_rows = draw_order(dataset, rows, review_sheet.seed)[: len(review_sheet.entries)]
    row_of_entry = {(str(dataset[r].line), row_id(dataset[r])): r for r in drawn_rows}
    if sorted(row_of_entry) != sorted((e.line, e.id) for e in review_sheet.entries):
        status.faults.append(
            f"{_short_name(review_sheet.path)} does not hold the rows that seed {review_sheet.seed} draws; draw again"
        )
        return
    faults = list(_entry_faults(review_sheet))
    missing = sum(not e.verdict for e in review_sheet.entries)
    if missing:
        verb = "has" if missing == 1 else "have"
        rest = f"{missing:,} of {len(review_sheet.entries):,} rows {verb} no verdict yet"
        status.pending.append(f"{_short_name(review_sheet.path)}: {rest}; it counts when all have")
    status.faults += faults
    if faults or missing:
        return
    for e in review_sheet.entries:
        row = row_of_entry[e.line, e.id]
        status.verdicts[row] = status.verdicts.get(row, False) or e.verdict == "wrong"
        status.reviewers.append(e.reviewer)
        if e.verdict == "wrong":
            status.notes.append((dataset[row].line, e.note))


def _entry_faults(review_sheet: Sheet) -> Iterator[str]:
    for e in review_sheet.entries:
        if e.verdict and e.verdict not in VERDICTS:
            yield f"{_entry_location(review_sheet, e)}: verdict {e.verdict[:40]!r}; {' or '.join(VERDICTS)} is valid"
        elif e.verdict and not e.reviewer:
            yield f"{_entry_location(review_sheet, e)}: no reviewer; write who gave the verdict"


def _entry_location(review_sheet: Sheet, entry: SheetEntry) -> str:
    return f"{_short_name(review_sheet.path)}, row {entry.sheet_row}"


def _short_name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
