"""Make train, validation and test of one file.

$ tunegate split tickets.jsonl -o data
$ tunegate split tickets.jsonl --by language --seed 1
"""

from __future__ import annotations

import argparse
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="JSONL or a JSON array")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("data"), metavar="FOLDER", help="default: data"
    )
    parser.add_argument(
        "--validation", type=float, default=0.15, metavar="SHARE", help="share of all rows (0.15)"
    )
    parser.add_argument(
        "--test", type=float, default=0.15, metavar="SHARE", help="share of all rows (0.15)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another one splits otherwise (0)"
    )
    parser.add_argument(
        "--by", default="label", metavar="FIELD", help="stratify by the label, or a field's name"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there")


def run(args: argparse.Namespace) -> None:
    """Split the file and print how many rows each split has."""
    from ..data.splitting import split_file

    shares = {"validation": args.validation, "test": args.test}
    report = split_file(args.file, args.out, **shares, seed=args.seed, by=args.by, force=args.force)
    print("\n".join(report.lines()))
