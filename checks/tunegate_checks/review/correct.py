"""Write a new version of a dataset with the corrections of its reviewers, and their diff.

The new version is to be reviewed as any other: its bytes are others.

$ tunegate review correct data/train.jsonl -o data/train2.jsonl
"""

import argparse
import csv
import io
from pathlib import Path

from tunegate.config.schema import load_here
from tunegate.data.dataset import Dataset
from tunegate.data.splitting import read_complete
from tunegate.errors import ConfigError
from tunegate.utils.atomic import atomic_write_all
from tunegate.utils.strict_json import to_json_line

from .sample import row_id
from .sheet import SheetEntry, read_sheet
from .status import REVIEWS_FOLDER


def arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the dataset that was reviewed")
    add("-o", "--out", type=Path, required=True, help="the new version, JSON Lines")
    add("--force", action="store_true", help="replace files that are there")


def run(args: argparse.Namespace) -> None:
    """Write the new version and the diff; raises ValueError where reviewers disagree."""
    root, config = load_here()
    diff = args.out.with_suffix(".review.csv")
    if args.out.resolve() == args.file.resolve():
        raise ConfigError(f"{args.out} is read here, and never written over; choose another -o")
    if (there := [str(p) for p in (args.out, diff) if p.exists()]) and not args.force:
        raise ConfigError(f"{', '.join(there)}: already there; --force replaces")
    lines, dataset = read_complete(args.file, config.reading, config.data.columns)
    found = corrections(dataset, (root or Path.cwd()) / REVIEWS_FOLDER)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["line", "before", "after", "reviewer", "note"])
    for row, entry in sorted(found.items()):
        e = dataset[row]
        if not e.reply:
            raise ValueError(f"line {e.line} has no reply in text: correct it in the file")
        messages = [*e.messages[:-1], {**e.messages[-1], "content": entry.correction}]
        lines[row] = to_json_line({**e.fields, "messages": messages})
        table.writerow([e.line, e.reply, entry.correction, entry.reviewer, entry.note])
    content = b"".join(line + b"\n" for line in lines)
    atomic_write_all({diff: text.getvalue().encode("utf-8", "replace"), args.out: content}, [diff])
    print(f"wrote {args.out}: {len(found):,} of {len(dataset):,} replies corrected; each in {diff}")
    print(f"next  tunegate review serve {args.out}")


def corrections(dataset: Dataset, folder: Path) -> dict[int, SheetEntry]:
    """Return the corrections of all sheets by row; raises ValueError where two differ."""
    row_of_entry = {(str(e.line), row_id(e)): e.row for e in dataset}
    found: dict[int, SheetEntry] = {}
    for sheet in map(read_sheet, sorted(folder.glob("*.csv"))):
        for entry in sheet.entries if sheet.digest == dataset.digest else ():
            row = row_of_entry.get((entry.line, entry.id))
            if entry.correction and row is not None:
                other = found.setdefault(row, entry)
                if other.correction != entry.correction:
                    names = f"{other.reviewer} and {entry.reviewer}"
                    raise ValueError(
                        f"line {entry.line}: {names} correct it otherwise; agree on one"
                    )
    if not found:
        raise ValueError(f"{folder} has no corrections of {dataset.path}")
    return found
