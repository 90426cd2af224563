"""Draw rows for people to review, and say what was reviewed.

`tunegate review sample FILE` draws a random sample into a sheet, `tunegate review status` says what
was reviewed, by whom, and how much of it was wrong. Sheets contain rows of your data.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from .status import REVIEWS_FOLDER, review_status

if TYPE_CHECKING:
    from tunegate.config.schema import Config


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    kinds = parser.add_subparsers(dest="what", required=True, metavar="sample | status")
    sample = kinds.add_parser("sample", help="draw a random sample into a sheet (CSV)")
    sample.add_argument("file", type=Path, metavar="FILE", help="the dataset")
    sample.add_argument(
        "-o", "--out", type=Path, metavar="CSV", help=f"default: in {REVIEWS_FOLDER}/"
    )
    sample.add_argument("--share", type=float, default=0.1, help="of the rows, 0..1 (0.1)")
    sample.add_argument("--seed", type=int, default=0, help="another draws other rows (0)")
    sample.add_argument("--separator", choices=",;", default=",", help="; for Excel in Portuguese")
    kinds.add_parser("status", help="what was reviewed, by whom, and how much was wrong")


def run(args: argparse.Namespace) -> None:
    """Draw a sample into a sheet, or print the status of the reviews."""
    from tunegate.config.project import find_root
    from tunegate.config.schema import Config, load

    root = find_root(Path.cwd())
    config = load(root) if root else Config()
    if args.what == "sample":
        lines = draw_sample(args, root or Path.cwd(), config)
    else:
        lines = status_lines(root or Path.cwd(), config)
    print("\n".join(lines))


def draw_sample(args: argparse.Namespace, root: Path, config: Config) -> list[str]:
    """Write a sheet with a random sample of a file's rows; return what to do next, line by line.

    Raises ValueError for a share outside of (0, 1], and for a file without rows to draw from.
    """
    from tunegate.config.data_files import read_file

    from .sample import draw_order, population, sample_size
    from .sheet import write_sheet

    if not 0 < args.share <= 1:
        raise ValueError(f"--share {args.share:g}: a share above 0, and 1 at most, is valid")
    dataset = read_file(args.file, config.data.columns)
    rows = population(dataset, config.data.generated)
    if not rows:
        raise ValueError(f"{args.file} holds no rows to draw from")
    drawn_rows = draw_order(dataset, rows, args.seed)[: sample_size(len(rows), args.share)]
    name = f"{args.file.stem}-{dataset.digest[:12]}-{args.seed}.csv"
    out = args.out or root / REVIEWS_FOLDER / name
    write_sheet(out, dataset, [dataset[row] for row in drawn_rows], args.seed, args.separator)
    folder = Path.cwd()
    shown_path = out.relative_to(folder) if folder in out.parents else out
    return [
        f"wrote {shown_path}: {len(drawn_rows):,} of {len(rows):,} rows",
        "next  in each row write ok or wrong as verdict, and who you are as reviewer;",
        f"      save it as CSV in {REVIEWS_FOLDER}/, commit it, then: tunegate review status",
        "note  it holds rows of your data, with what personal data there is in them",
    ]


def status_lines(root: Path, config: Config) -> list[str]:
    """Return the lines that say, for each split, what was reviewed and what was found wrong.

    Raises ValueError where the configuration names no data.
    """
    from tunegate.config.data_files import find_data_files

    splits = find_data_files(config, root, {}, root)
    if not splits.paths:
        raise ValueError("no data is configured: set data.train in tunegate.toml")
    lines = []
    for split in splits.paths:
        dataset, generated = splits.get(split), config.data.generated
        status = review_status(dataset, root / REVIEWS_FOLDER, generated=generated)
        texts = [status.summary(), *status.faults, *status.pending, *status.other_sheets]
        texts += [f"line {n:,} is wrong{': ' if note else ''}{note}" for n, note in status.notes]
        first, *rest = (part for text in texts for part in textwrap.wrap(text, 68))
        lines += [f"{split:<12}{first}", *(f"{'':12}{part}" for part in rest)]
    return lines
