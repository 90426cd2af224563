"""`tunegate`: what is not pytest's to do: start a project, split a file, look back, roll back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Any

from .. import __version__
from ..errors import ConfigError

BUILTIN_COMMANDS = (
    "init",
    "split",
    "accept",
    "resume",
    "rollback",
    "history",
    "failures",
    "report",
    "purge",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Return a command's exit status, else 0; a mistake is one line on stderr and status 2."""
    args = _parser().parse_args(argv)
    try:
        status: int | None = args.module.run(args)
    except (ConfigError, OSError, ValueError) as error:
        print(f"tunegate {args.name}: {error}", file=sys.stderr)
        return 2
    return status or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tunegate", description=__doc__)
    parser.add_argument("--version", action="version", version=f"tunegate {__version__}")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    for name, module in _command_modules().items():
        summary = (module.__doc__ or "").partition("\n\n")[0]
        command = commands.add_parser(name, help=summary, description=summary)
        command.set_defaults(module=module)
        module.arguments(command)
    return parser


def _command_modules() -> dict[str, Any]:
    builtin = {name: import_module(f"{__package__}.{name}") for name in BUILTIN_COMMANDS}
    installed = metadata.entry_points(group="tunegate.commands")
    return builtin | {command.name: command.load() for command in installed}
