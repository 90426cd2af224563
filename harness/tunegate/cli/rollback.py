"""Point an alias to the promotion before it.

$ tunegate registry rollback production --why "wrong on refunds"
"""

import argparse

from ..config.project import current_project
from ..storage.registry import Registry, checked_reason


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alias", metavar="ALIAS")
    parser.add_argument("--why", required=True, metavar="TEXT", help="the reason, for the registry")


def run(args: argparse.Namespace) -> None:
    """Add a line to the registry; nothing in it is rewritten."""
    entry = Registry(current_project()).rollback(args.alias, checked_reason(args.why))
    print(f"{args.alias} is run:{entry['run']} again; it was run:{entry['from']}")
