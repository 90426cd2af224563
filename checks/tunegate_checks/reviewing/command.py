"""Draw rows for people to review, and say what was reviewed.

`tunegate review sample FILE` draws a random sample into a sheet, `tunegate review status` says what
was reviewed, by whom, and how much of it was wrong. Sheets hold rows of your data.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from .reviews import FOLDER, reviewed

if TYPE_CHECKING:
    from tunegate.config import Config
    from tunegate.dataset import Dataset


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    kinds = parser.add_subparsers(dest="what", required=True, metavar="sample | status")
    sample = kinds.add_parser("sample", help="draw a random sample into a sheet (CSV)")
    sample.add_argument("file", type=Path, metavar="FILE", help="the dataset")
    sample.add_argument("-o", "--out", type=Path, metavar="CSV", help=f"default: in {FOLDER}/")
    sample.add_argument("--share", type=float, default=0.1, help="of the rows, 0..1 (0.1)")
    sample.add_argument("--seed", type=int, default=0, help="another draws other rows (0)")
    sample.add_argument("--separator", choices=",;", default=",", help="; for Excel in Portuguese")
    kinds.add_parser("status", help="what was reviewed, by whom, and how much was wrong")


def run(args: argparse.Namespace) -> None:
    """Draw, or say how it stands."""
    lines = _sample(args) if args.what == "sample" else _status()
    print("\n".join(lines))


def _sample(args: argparse.Namespace) -> list[str]:
    from . import sheet
    from .sample import in_drawing_order, population, size

    if not 0 < args.share <= 1:
        raise ValueError(f"--share {args.share:g}: a share above 0, and 1 at most, is valid")
    root, config = _project()
    dataset = _read(args.file, config)
    rows = population(dataset, config.data.generated)
    if not rows:
        raise ValueError(f"{args.file} holds no rows to draw from")
    drawn = in_drawing_order(dataset, rows, args.seed)[: size(len(rows), args.share)]
    name = f"{args.file.stem}-{dataset.digest[:12]}-{args.seed}.csv"
    out = args.out or root / FOLDER / name
    sheet.write(out, dataset, [dataset[row] for row in drawn], args.seed, args.separator)
    return [
        f"wrote {_short(out)}: {len(drawn):,} of {len(rows):,} rows",
        "next  in each row write ok or wrong as verdict, and who you are as reviewer;",
        f"      save it as CSV in {FOLDER}/, commit it, then: tunegate review status",
        "note  it holds rows of your data, with what personal data there is in them",
    ]


def _status() -> list[str]:
    from tunegate.splits import locate

    root, config = _project()
    splits = locate(config, root, {}, root)
    if not splits.paths:
        raise ValueError("no data is configured: set data.train in tunegate.toml")
    lines = []
    for split in splits.paths:
        found = reviewed(splits.get(split), root / FOLDER, generated=config.data.generated)
        wrong = [f"line {n:,} is wrong{': ' if note else ''}{note}" for n, note in found.notes]
        told = [found.told(), *found.faults, *found.pending, *found.others, *wrong]
        lines += _block(split, told)
    return lines


def _block(split: str, told: list[str]) -> list[str]:
    first, *rest = (part for one in told for part in textwrap.wrap(one, 68))
    return [f"{split:<12}{first}", *(f"{'':12}{part}" for part in rest)]


def _project() -> tuple[Path, Config]:
    from tunegate.config import Config, load
    from tunegate.project import find_root

    root = find_root(Path.cwd())
    return (root, load(root)) if root else (Path.cwd(), Config())


def _read(file: Path, config: Config) -> Dataset:
    from tunegate.columns import check_columns, is_table
    from tunegate.dataset import Dataset

    columns = config.data.columns if is_table(file, bool(config.data.columns)) else {}
    check_columns(file, columns)
    return Dataset.read(file, columns=columns)


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if here in path.parents else str(path)
