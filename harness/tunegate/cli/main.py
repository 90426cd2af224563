"""`tunegate`: what is not pytest's to do: start a project, split a file, look back, roll back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Protocol

from .. import __version__
from ..errors import ConfigError

ENTRY_POINT_GROUP = "tunegate.commands"
BUILTIN_COMMANDS = (
    *("init", "split", "accept", "resume", "rollback", "history", "failures", "report", "purge"),
)


class Command(Protocol):
    """A module that is a command; the first paragraph of its docstring is its help.

    A distribution adds commands by entry points of the group `tunegate.commands`.
    """

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments to its parser."""

    def run(self, args: argparse.Namespace) -> int | None:
        """Run the command; return its exit status, None for 0.

        A ConfigError, OSError or ValueError becomes one line on stderr and exit status 2.
        """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that is named first and return its exit status, 2 for a mistake.

    Only this command's module is imported; `--help` imports all, for their summaries. A command
    that cannot be imported is one line, and breaks no other.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    builtin = [metadata.EntryPoint(n, f"{__package__}.{n}", "") for n in BUILTIN_COMMANDS]
    installed = metadata.entry_points(group=ENTRY_POINT_GROUP)
    commands = {command.name: command for command in [*builtin, *installed]}
    parser = argparse.ArgumentParser(prog="tunegate", description=__doc__)
    parser.add_argument("--version", action="version", version=f"tunegate {__version__}")
    subparsers = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    named = next((argument for argument in arguments if argument != "--"), "")
    for name, entry_point in commands.items():
        if named not in (name, "-h", "--help"):
            subparsers.add_parser(name)  # a valid name, for the message about a wrong one
            continue
        try:
            module: Command = entry_point.load()
            summary = (module.__doc__ or "").partition("\n\n")[0]
            subparser = subparsers.add_parser(name, help=summary, description=summary)
            module.arguments(subparser)
            subparser.set_defaults(module=module)
        except Exception as error:  # the code of another distribution may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            owner = f" of {entry_point.dist.name}" if entry_point.dist else ""
            problem = f"the command{owner} cannot be loaded ({reason})"
            if named == name:
                print(f"tunegate {name}: {problem}", file=sys.stderr)
                return 2
            if name not in subparsers.choices:
                subparsers.add_parser(name, help=problem.replace("%", "%%"))
    args = parser.parse_args(arguments)
    try:
        return args.module.run(args) or 0
    except (ConfigError, OSError, ValueError) as error:
        print(f"tunegate {args.name}: {error}", file=sys.stderr)
        return 2
