"""Write a snapshot of data to a file.

$ tunegate data restore 3fa9c1 -o train.jsonl
"""

import argparse
from pathlib import Path

from ..errors import ConfigError
from ..utils.files import copy_verified
from ..utils.masking import print_result
from .pack import add_options, open_store


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("digest", metavar="DIGEST", help="the beginning of its sha256")
    add_options(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--force", action="store_true", help="replace FILE")


def run(args: argparse.Namespace) -> None:
    """Copy its bytes, verified by the digest."""
    source, _ = open_store(args.store).open(args.digest)
    if args.out.exists() and not args.force:
        raise ConfigError(f"{args.out} is there: --force replaces it")
    copy_verified(source, args.out, digest := source.stem, mode=0o644)
    told = {"digest": digest, "path": args.out}
    print_result(args.json, told, [f"{args.out}: snapshot {digest[:12]}"])
