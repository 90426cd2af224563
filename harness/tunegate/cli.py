"""`tunegate`: what is not pytest's to do: start a project, split a file, look back, roll back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .project import ConfigError, find_root

Command = Callable[[argparse.Namespace], None]


class _Mistake(Exception):
    """A user's mistake, in one message."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; a mistake is one line on stderr and exit code 2."""
    args = _parser().parse_args(argv)
    try:
        args.command(args)
    except (_Mistake, ConfigError, OSError, ValueError) as error:
        print(f"tunegate {args.name}: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tunegate", description=__doc__)
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    init = _command(commands, "init", _init, "copy the suites and a commented configuration")
    init.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="FOLDER")

    split = _command(commands, "split", _split, "make train, validation and test of one file")
    split.add_argument("file", type=Path, metavar="FILE", help="JSONL or a JSON array")
    split.add_argument("-o", "--out", type=Path, default=Path("data"), help="default: data")
    split.add_argument("--validation", type=float, default=0.15, help="share of all rows (0.15)")
    split.add_argument("--test", type=float, default=0.15, help="share of all rows (0.15)")
    split.add_argument("--seed", type=int, default=0)
    split.add_argument("--by", default="label", help="stratify by the label, or a field's name")
    split.add_argument("--force", action="store_true", help="replace files that are there")

    back = _command(commands, "rollback", _rollback, "point an alias to the promotion before")
    back.add_argument("alias", metavar="ALIAS")
    back.add_argument("--why", required=True, metavar="TEXT", help="the reason, for the registry")

    history = _command(commands, "history", _history, "show the registry of promotions")
    history.add_argument("alias", nargs="?", metavar="ALIAS")

    purge = _command(commands, "purge", _purge, "remove a snapshot, and the answers to its prompts")
    purge.add_argument("digest", metavar="DIGEST", help="the beginning of the dataset's sha256")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    command: Command,
    what: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=what, description=what)
    parser.set_defaults(command=command)
    return parser


def _version() -> str:
    from . import __version__

    return f"tunegate {__version__}"


def _root() -> Path:
    root = find_root(Path.cwd())
    if root is None:
        raise _Mistake(
            "no tunegate.toml or [tool.tunegate] here or above; `tunegate init` makes one"
        )
    return root


def _init(args: argparse.Namespace) -> None:
    from .init import init

    args.folder.mkdir(parents=True, exist_ok=True)
    print("\n".join(init(args.folder.resolve())))
    print("\nnext   write the paths of your data into tunegate.toml, then: pytest suites/data")


def _split(args: argparse.Namespace) -> None:
    from .split import split

    shares = {"validation": args.validation, "test": args.test}
    report = split(args.file, args.out, **shares, seed=args.seed, by=args.by, force=args.force)
    print("\n".join(report.lines()))


def _rollback(args: argparse.Namespace) -> None:
    from .registry import NothingToRollBack, Registry, RegistryBroken

    try:
        entry = Registry(_root()).rollback(args.alias, args.why)
    except (NothingToRollBack, RegistryBroken) as error:
        raise _Mistake(str(error)) from None
    print(f"{args.alias} is run:{entry['run']} again; it was run:{entry['from']}")


def _history(args: argparse.Namespace) -> None:
    from .registry import Registry, RegistryBroken

    try:
        entries = Registry(_root()).entries()
    except RegistryBroken as error:
        raise _Mistake(str(error)) from None
    for e in entries:
        if args.alias in (None, e["alias"]):
            what = f"{e['when']}  {e['action']:<8}  {e['alias']}  run:{e['run']}"
            print(f"{what}  {e['who']}  {e['why']}".rstrip())


def _purge(args: argparse.Namespace) -> None:
    from .purge import NoSnapshot, purge
    from .state import State

    try:
        path, answers = purge(State(_root()), args.digest)
    except NoSnapshot as error:
        raise _Mistake(str(error)) from None
    print(f"removed {path.name} and {answers:,} answers to its prompts")
