"""Draw a random sample of rows into a sheet, for people to review.

The sheet is a CSV file that holds rows of your data.

$ tunegate review sample data/train.jsonl
$ tunegate review sample data/train.jsonl --share 0.2 --separator ';'
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tunegate.config.data_files import read_file
from tunegate.config.schema import load_here
from tunegate.data.dataset import Dataset, Example

from .sample import draw_order, population, sample_size
from .sheet import write_sheet
from .status import REVIEWS_FOLDER


def arguments(parser: argparse.ArgumentParser) -> None:
    sample_arguments(parser)
    add = parser.add_argument
    add("-o", "--out", type=Path, metavar="CSV", help=f"default: in {REVIEWS_FOLDER}/")
    add("--separator", choices=",;", default=",", help="; for Excel in Portuguese")


def sample_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which rows are drawn."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the dataset")
    add("--share", type=float, default=0.1, help="of the rows, 0..1 (0.1)")
    add("--seed", type=int, default=0, help="another draws other rows (0)")


@dataclass(frozen=True)
class Sample:
    """The rows of a dataset that people review, drawn from `n`, and where their sheets stand."""

    dataset: Dataset
    rows: Sequence[Example]
    n: int
    seed: int
    folder: Path

    @classmethod
    def draw(cls, file: Path, share: float, seed: int) -> Self:
        """Draw a share of a file's rows; raises ValueError, ConfigError for bad input."""
        root, config = load_here()
        if not 0 < share <= 1:
            raise ValueError(f"--share {share:g}: a share above 0, and 1 at most, is valid")
        dataset = read_file(file, config.data.columns)
        rows = population(dataset, config.data.generated)
        if not rows:
            raise ValueError(f"{file} holds no rows to draw from")
        drawn = draw_order(dataset, rows, seed)[: sample_size(len(rows), share)]
        folder = (root or Path.cwd()) / REVIEWS_FOLDER
        return cls(dataset, [dataset[row] for row in drawn], len(rows), seed, folder)

    def path(self, suffix: str = "") -> Path:
        """Return the path of a sheet."""
        digest, stem = self.dataset.digest[:12], self.dataset.path.stem
        return self.folder / f"{stem}-{digest}-{self.seed}{suffix}.csv"


def run(args: argparse.Namespace) -> None:
    """Write a sheet with a random sample of a file's rows; raises ValueError for bad input."""
    folder, sample = Path.cwd(), Sample.draw(args.file, args.share, args.seed)
    out = args.out or sample.path()
    write_sheet(out, sample.dataset, sample.rows, args.seed, args.separator)
    shown_path = out.relative_to(folder) if folder in out.parents else out
    print(f"wrote {shown_path}: {len(sample.rows):,} of {sample.n:,} rows")
    print("next  in each row write ok or wrong as verdict, and who you are as reviewer;")
    print(f"      save it as CSV in {REVIEWS_FOLDER}/, commit it, then: tunegate review status")
    print("note  it holds rows of your data, with what personal data there is in them")
