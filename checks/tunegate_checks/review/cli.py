"""Draw rows for people to review, and say what was reviewed.

`tunegate review sample FILE` draws a random sample into a sheet, `tunegate review status` says what
was reviewed, by whom, and how much of it was wrong. Sheets hold rows of your data.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from .status import REVIEWS_FOLDER, review_status

if TYPE_CHECKING:
    from tunegate.config.schema import Config
    from tunegate.data.dataset import Dataset


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
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
    """Draw, or say how it stands."""
    lines = _draw_sample(args) if args.what == "sample" else _status_lines()
    print("\n".join(lines))


def _draw_sample(args: argparse.Namespace) -> list[str]:
    from . import sheet
    from .sample import draw_order, population, sample_size

    if not 0 < args.share <= 1:
        raise ValueError(f"--share {args.share:g}: a share above 0, and 1 at most, is valid")
    root, config = _project()
    dataset = _read_dataset(args.file, config)
    rows = population(dataset, config.data.generated)
    if not rows:
        raise ValueError(f"{args.file} holds no rows to draw from")
    drawn_rows = draw_order(dataset, rows, args.seed)[: sample_size(len(rows), args.share)]
    name = f"{args.file.stem}-{dataset.digest[:12]}-{args.seed}.csv"
    out = args.out or root / REVIEWS_FOLDER / name
    sheet.write_sheet(out, dataset, [dataset[row] for row in drawn_rows], args.seed, args.separator)
    return [
        f"wrote {_short_path(out)}: {len(drawn_rows):,} of {len(rows):,} rows",
        "next  in each row write ok or wrong as verdict, and who you are as reviewer;",
        f"      save it as CSV in {REVIEWS_FOLDER}/, commit it, then: tunegate review status",
        "note  it holds rows of your data, with what personal data there is in them",
    ]


def _status_lines() -> list[str]:
    from tunegate.config.data_files import find_data_files

    root, config = _project()
    splits = find_data_files(config, root, {}, root)
    if not splits.paths:
        raise ValueError("no data is configured: set data.train in tunegate.toml")
    lines = []
    for split in splits.paths:
        status = review_status(
            splits.get(split), root / REVIEWS_FOLDER, generated=config.data.generated
        )
        wrong_lines = [
            f"line {n:,} is wrong{': ' if note else ''}{note}" for n, note in status.notes
        ]
        texts = [
            status.summary(),
            *status.faults,
            *status.pending,
            *status.other_sheets,
            *wrong_lines,
        ]
        lines += _split_block(split, texts)
    return lines


def _split_block(split: str, texts: list[str]) -> list[str]:
    first, *rest = (part for text in texts for part in textwrap.wrap(text, 68))
    return [f"{split:<12}{first}", *(f"{'':12}{part}" for part in rest)]


def _project() -> tuple[Path, Config]:
    from tunegate.config.project import find_root
    from tunegate.config.schema import Config, load

    root = find_root(Path.cwd())
    return (root, load(root)) if root else (Path.cwd(), Config())


def _read_dataset(file: Path, config: Config) -> Dataset:
    from tunegate.data.dataset import Dataset
    from tunegate.data.tables import check_columns, is_table

    columns = config.data.columns if is_table(file, bool(config.data.columns)) else {}
    check_columns(file, columns)
    return Dataset.read(file, columns=columns)


def _short_path(path: Path) -> str:
    folder = Path.cwd()
    return str(path.relative_to(folder)) if folder in path.parents else str(path)
