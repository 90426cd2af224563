"""Draw a random sample of rows into a sheet, for people to review.

The sheet is a CSV file that holds rows of your data.

$ tunegate review sample data/train.jsonl
$ tunegate review sample data/train.jsonl --share 0.2 --separator ';'
"""

import argparse
from pathlib import Path

from tunegate.config.data_files import read_file
from tunegate.config.schema import load_here

from .sheet import draw_order, population, sample_size, write_sheet
from .status import REVIEWS_FOLDER


def arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the dataset")
    add("-o", "--out", type=Path, metavar="CSV", help=f"default: in {REVIEWS_FOLDER}/")
    add("--share", type=float, default=0.1, help="of the rows, 0..1 (0.1)")
    add("--seed", type=int, default=0, help="another draws other rows (0)")
    add("--separator", choices=",;", default=",", help="; for Excel in Portuguese")


def run(args: argparse.Namespace) -> None:
    """Write a sheet with a random sample of a file's rows; raises ValueError for bad input."""
    folder, (root, config) = Path.cwd(), load_here()
    if not 0 < args.share <= 1:
        raise ValueError(f"--share {args.share:g}: a share above 0, and 1 at most, is valid")
    dataset = read_file(args.file, config.data.columns)
    if not (rows := population(dataset, config.data.generated)):
        raise ValueError(f"{args.file} holds no rows to draw from")
    drawn_rows = draw_order(dataset, rows, args.seed)[: sample_size(len(rows), args.share)]
    name = f"{args.file.stem}-{dataset.digest[:12]}-{args.seed}.csv"
    out = args.out or (root or folder) / REVIEWS_FOLDER / name
    write_sheet(out, dataset, [dataset[row] for row in drawn_rows], args.seed, args.separator)
    shown_path = out.relative_to(folder) if folder in out.parents else out
    print(f"wrote {shown_path}: {len(drawn_rows):,} of {len(rows):,} rows")
    print(f"next  tunegate review serve {shown_path}")
    print("      or in a spreadsheet: in each row write ok, wrong or unsure as verdict, who")
    print(f"      you are as reviewer; save it as CSV in {REVIEWS_FOLDER}/; tunegate review status")
    print("note  it holds rows of your data, with what personal data there is in them")
