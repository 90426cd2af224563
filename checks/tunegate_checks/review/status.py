"""Sum up the reviews of each split: rows, reviewers, wrong ones.

$ tunegate review status
"""

import argparse
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunegate.data.dataset import Dataset
from tunegate.results.score import wilson
from tunegate.utils.masking import add_json_option, print_result

from .sheet import VERDICTS, Sheet, draw_order, population, read_sheet, row_id

REVIEWS_FOLDER, arguments = "reviews", add_json_option


@dataclass
class ReviewStatus:
    """The reviews of one dataset, whose samples are drawn from `n` rows."""

    n: int
    verdicts: dict[int, bool] = field(default_factory=dict)  # by row: whether it is wrong
    reviewers: list[str] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)  # line and note of each wrong row
    # Sheets that do not count: malformed, not yet filled in, drawn from other bytes of the file.
    faults: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    other_sheets: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """The number of reviewed rows that are wrong."""
        return sum(self.verdicts.values())

    @property
    def share(self) -> float:
        """The share of the rows that was reviewed, 0..1."""
        return len(self.verdicts) / self.n if self.n else 0.0

    @property
    def errors(self) -> float:
        """The share of the reviewed rows that is wrong, 0..1."""
        return self.wrong / len(self.verdicts) if self.verdicts else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the status as builtins; shares and their 95 % interval (Wilson) are 0..1."""
        low, high = wilson(self.wrong, len(self.verdicts)) if self.verdicts else (0.0, 1.0)
        notes = [{"line": line, "note": note} for line, note in self.notes]
        told = {"rows": self.n, "reviewed": len(self.verdicts), "wrong_rows": notes}
        keys = ("share", "wrong", "errors", "reviewers", "faults", "pending", "other_sheets")
        return {**told, "low": low, "high": high, **{key: getattr(self, key) for key in keys}}

    def summary(self) -> str:
        """Return the share reviewed, by whom, and the errors with their 95 % interval (Wilson)."""
        if not self.verdicts:
            return "no row was reviewed by a person"
        shares = self.errors, *wilson(self.wrong, len(self.verdicts))
        errors, low, high = (f"{100 * x:.2g}" if x < 0.995 else "100" for x in shares)
        rows = f"{len(self.verdicts):,} of {self.n:,} rows ({100 * self.share:.3g} %)"
        wrong = f"{errors} % wrong (95 % interval {low} to {high} %)"
        return f"{rows} reviewed by {', '.join(self.reviewers)}: {wrong}"

    def add_sheet(self, sheet: Sheet, dataset: Dataset, rows: Sequence[int]) -> None:
        """Count the verdicts of a sheet if it is complete, else say why it does not count."""
        name = _short_name(sheet.path)
        drawn_rows = draw_order(dataset, rows, sheet.seed)[: len(sheet.entries)]
        row_of_entry = {(str(dataset[r].line), row_id(dataset[r])): r for r in drawn_rows}
        if sorted(row_of_entry) != sorted((e.line, e.id) for e in sheet.entries):
            fault = f"{name} does not hold the rows that seed {sheet.seed} draws; draw again"
            self.faults.append(fault)
            return
        faults = []
        for entry in sheet.entries:
            location = f"{name}, row {entry.sheet_row}"
            if entry.verdict and entry.verdict not in VERDICTS:
                valid = f"{', '.join(VERDICTS[:-1])} or {VERDICTS[-1]}"
                faults.append(f"{location}: verdict {entry.verdict[:40]!r}; {valid} is valid")
            elif entry.verdict and not entry.reviewer:
                faults.append(f"{location}: no reviewer; write who gave the verdict")
        self.faults += faults
        if missing := sum(not e.verdict for e in sheet.entries):
            verb = "has" if missing == 1 else "have"
            rest = f"{missing:,} of {len(sheet.entries):,} rows {verb} no verdict yet"
            self.pending.append(f"{name}: {rest}; it counts when all have")
        if faults or missing:
            return
        decided = [e for e in sheet.entries if e.verdict != "unsure"]
        if unsure := len(sheet.entries) - len(decided):
            self.pending.append(f"{name}: unsure of {unsure:,}: another reviewer decides")
        for entry in decided:
            row = row_of_entry[entry.line, entry.id]
            is_wrong = entry.verdict == "wrong" or entry.correction not in ("", entry.reply)
            self.verdicts[row] = self.verdicts.get(row, False) or is_wrong
            self.reviewers.append(entry.reviewer)
            if is_wrong:
                self.notes.append((dataset[row].line, entry.note))


def review_status(dataset: Dataset, folder: Path, *, generated: bool = False) -> ReviewStatus:
    """Sum up every sheet in a folder that was drawn from exactly these bytes.

    A sheet counts if it holds exactly the rows that the digest and its seed draw, each with a
    verdict and a reviewer. A row is wrong if one of several reviewers found it wrong.
    """
    rows = population(dataset, generated)
    status = ReviewStatus(len(rows))
    for path in sorted(folder.glob("*.csv")):
        name = _short_name(path)
        try:
            sheet = read_sheet(path)
        except (ValueError, OSError) as error:
            # With the short name the evidence, and so the finding's id, is the same everywhere.
            status.faults.append(str(error).replace(str(path), name))
            continue
        if sheet.digest == dataset.digest:
            status.add_sheet(sheet, dataset, rows)
        elif sheet.file == dataset.path.name:
            status.other_sheets.append(f"{name} is of other bytes: it does not count")
    status.reviewers = sorted(set(status.reviewers))
    return status


def _short_name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def run(args: argparse.Namespace) -> None:
    """Print what was reviewed of each split; raises ValueError where no data is configured."""
    from tunegate.config.data_files import find_data_files
    from tunegate.config.schema import load_here

    root, config = load_here()
    folder = root or Path.cwd()
    if not (splits := find_data_files(config, folder, {}, folder)).paths:
        raise ValueError("no data is configured: set data.train in tunegate.toml")
    told, lines = list[dict[str, Any]](), list[str]()
    for split in splits.paths:
        dataset, generated = splits.get(split), config.data.generated
        status = review_status(dataset, folder / REVIEWS_FOLDER, generated=generated)
        told.append({"split": split, **status.to_dict()})
        texts = [status.summary(), *status.faults, *status.pending, *status.other_sheets]
        texts += [f"line {n:,} is wrong{': ' if note else ''}{note}" for n, note in status.notes]
        first, *rest = (part for text in texts for part in textwrap.wrap(text, 68))
        lines += [f"{split:<12}{first}", *(f"{'':12}{part}" for part in rest)]
    print_result(args.json, {"splits": told}, lines)
