"""Make train, validation and test of one file.

$ tunegate split tickets.jsonl -o data
$ tunegate split tickets.jsonl --group-by user_id --by-time created_at
"""

import argparse
from dataclasses import replace
from pathlib import Path

from ..config.schema import load_here
from ..data.splitting import split_file
from ..utils.masking import add_json_option, print_result


def arguments(parser: argparse.ArgumentParser) -> None:
    add, share = parser.add_argument, "share of all rows (0.15)"
    parser.usage = "tunegate split FILE [-o DIR] [options]"
    add("file", type=Path, metavar="FILE", help="JSONL, a JSON array, CSV or Parquet")
    add("-o", "--out", type=Path, default=Path("data"), metavar="DIR", help="default: data")
    add("--validation", type=float, default=0.15, metavar="SHARE", help=share)
    add("--test", type=float, default=0.15, metavar="SHARE", help=share)
    add("--seed", type=int, default=0, metavar="N", help="another one splits otherwise (0)")
    add("--by", default="label", metavar="FIELD", help="stratify by the label, or a field's name")
    add("--group-by", metavar="FIELD", help="what stays in one split (a user)")
    add("--by-time", nargs="?", const="", metavar="FIELD", help="the newest rows become test")
    add("--force", action="store_true", help="replace files that are there")
    add_json_option(parser)


def run(args: argparse.Namespace) -> None:
    """Split the file, read as the configuration says, and print how many rows each split has."""
    _, config = load_here()
    given = {"group_by": args.group_by and (args.group_by,), "time_by": args.by_time}
    reading = replace(config.reading, **{name: value for name, value in given.items() if value})
    report = split_file(
        args.file, args.out, validation=args.validation, test=args.test, seed=args.seed,
        by=args.by, force=args.force, by_time=args.by_time is not None, reading=reading,
        columns=config.data.columns,
    )  # fmt: skip
    print_result(args.json, {"folder": args.out, **report.to_dict()}, report.lines())
