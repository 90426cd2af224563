"""Show the registry of promotions, the oldest first.

$ tunegate registry history production
"""

from __future__ import annotations

import argparse

from ..config.project import current_project
from ..errors import ConfigError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alias", nargs="?", metavar="ALIAS")


def run(args: argparse.Namespace) -> None:
    """Print a line for each promotion and rollback, the oldest first."""
    from ..storage.registry import Registry, RegistryBroken

    try:
        entries = Registry(current_project()).entries()
    except RegistryBroken as error:
        raise ConfigError(str(error)) from None
    for e in entries:
        if args.alias in (None, e["alias"]):
            action = f"{e['when']}  {e['action']:<8}  {e['alias']}  run:{e['run']}"
            print(f"{action}  {e['who']}  {e['why']}".rstrip())
            if e.get("trained"):
                print(f"    {e['trained']}")
