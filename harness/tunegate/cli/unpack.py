"""Copy a run that another machine has packed out of a store.

Each file is verified by its sha256; none that differs is replaced. The seals hold where
TUNEGATE_KEY has the same value on both machines.

$ tunegate run unpack 3fa9c1
"""

import argparse

from ..utils.masking import print_result
from .pack import arguments as arguments
from .pack import open_store


def run(args: argparse.Namespace) -> None:
    """Copy what is lacking here, and print how much that was."""
    unpacked, copied = open_store(args.store).unpack(args.run)
    lines = [f"{unpacked}: {copied} files copied", f"pytest suites/model --model {unpacked.spec}"]
    print_result(args.json, {"run": unpacked.id, "copied": copied}, lines)
