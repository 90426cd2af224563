"""Show what is known of a snapshot of data, and which runs read it.

$ tunegate data show 3fa9c1
"""

import argparse

from ..storage.state_dir import only_one
from ..utils.masking import print_result
from .list import snapshots
from .pack import add_options, open_store


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("digest", metavar="DIGEST", help="the beginning of its sha256")
    add_options(parser)


def run(args: argparse.Namespace) -> None:
    """Print its facts, one a line; `accepted` are the findings that its receipts list."""
    known = {told["digest"]: told for told in snapshots(open_store(args.store))}
    told = known[only_one(args.digest, known, "snapshot")]
    texts = {k: ", ".join(v) if isinstance(v, list) else v for k, v in told.items()}
    print_result(args.json, told, (f"{key:<10} {text}" for key, text in texts.items()))
