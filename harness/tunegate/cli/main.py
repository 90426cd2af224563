"""`tunegate COMMAND`: which commands there are, how the named one is run, and their help."""

import argparse
import ast
import difflib
import importlib.util
import os
import sys
import textwrap
import tomllib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from .. import __version__, exit_codes
from ..config.project import public_lists
from ..errors import ConfigError
from ..utils.masking import let_through, masked_output, print_masked
from ..utils.optional_deps import MissingDependency, require
from ..utils.text import did_you_mean, os_error_text

ENTRY_POINT_GROUP = "tunegate.commands"
_names: dict[str, Any] = tomllib.loads(Path(__file__).with_name("commands.toml").read_text("utf-8"))
BUILTIN_COMMANDS, DAILY, GROUPS = _names["builtin"], _names["daily"], _names["groups"]
ALIASES = _names["aliases"]

Commands = dict[str, metadata.EntryPoint]


class Command(Protocol):
    """A module that is a command.

    Its docstring is its help: the first paragraph is the summary, and lines that begin with `$` are
    examples. A distribution adds commands by entry points of the group `tunegate.commands`:
    `data.profile = MODULE` is `tunegate data profile`, and a name without a dot stands at the top.
    """

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments to its parser; a command without any lacks this."""

    def run(self, args: argparse.Namespace) -> int | None:
        """Run the command; return its exit status, None for 0.

        A ConfigError, OSError or ValueError becomes one line on stderr and exit status 2.
        """


class CommandBroken(Exception):
    """A command cannot be loaded; the message says of which distribution it is, and why."""

    def __init__(self, entry_point: metadata.EntryPoint, error: BaseException) -> None:
        owner = f" of {entry_point.dist.name}" if entry_point.dist else ""
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        super().__init__(f"the command{owner} cannot be loaded ({reason})")


def installed_commands() -> Commands:
    """Return every command by its path, "init" or "run merge"; the core's keep their names."""
    installed = {e.name: e for e in metadata.entry_points(group=ENTRY_POINT_GROUP)}
    for name in BUILTIN_COMMANDS:
        module = f"{__package__}.{name.rpartition('.')[2]}"
        installed[name] = metadata.EntryPoint(name, module, ENTRY_POINT_GROUP)
    return {name.replace(".", " "): entry_point for name, entry_point in installed.items()}


def load_command(path: str, entry: metadata.EntryPoint) -> tuple[Command, argparse.ArgumentParser]:
    """Import a command, and make the parser of its arguments; raises CommandBroken."""
    try:
        command: Command = entry.load()
        paragraphs = (command.__doc__ or "").rstrip().split("\n\n")
        examples = [p for p in paragraphs if p.startswith("$ ")]
        text = "\n\n".join(textwrap.fill(p, 78) for p in paragraphs if p not in examples)
        epilog = "example:\n" + textwrap.indent("\n".join(examples), "  ") if examples else None
        parser = argparse.ArgumentParser(
            prog=f"tunegate {path}", description=text, epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        if hasattr(command, "arguments"):
            command.arguments(parser)
    except (Exception, SystemExit) as error:  # another distribution's code may raise anything
        raise CommandBroken(entry, error) from None
    return command, parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the named command; return its exit status, 2 for a mistake. A closed pipe is none."""
    try:
        try:
            return run_command(argv)
        finally:  # an exit of argparse has printed too
            sys.stdout.flush()
    except OSError as error:  # of the output: a command's own are told below
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:  # it would come again when Python ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if isinstance(error, BrokenPipeError):
            return exit_codes.OUTPUT_CLOSED
        print(f"tunegate: not all was printed: {error.strerror}", file=sys.stderr)
        return 2


def run_command(argv: Sequence[str] | None) -> int:
    """Import the command that is named, and no other, and run it; what it prints is masked."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--"]:
        del words[0]
    words[:1] = ALIASES[words[0]].split() if words and words[0] in ALIASES else words[:1]
    commands = installed_commands()
    if not (size := next((n for n in (1, 2, 3) if " ".join(words[:n]) in commands), 0)):
        return answer_without_command(words, commands)
    path = " ".join(words[:size])
    with let_through(*public_lists(Path.cwd())), masked_output():
        try:
            command, parser = load_command(path, commands[path])
            return command.run(parser.parse_args(words[size:])) or 0
        except (CommandBroken, ConfigError, MissingDependency, OSError, ValueError) as error:
            if isinstance(error, BrokenPipeError):
                print(flush=True)  # which raises again, unless it is the pipe of something else
            print(f"tunegate {path}: {os_error_text(error)}", file=sys.stderr)
            return 2
        except (EOFError, KeyboardInterrupt):
            print(f"\ntunegate {path}: interrupted", file=sys.stderr)
            return exit_codes.INTERRUPTED
        except Exception:
            sys.excepthook = print_masked
            raise


def answer_without_command(words: Sequence[str], commands: Commands) -> int:
    """Print the help of the top or of a group, or a completion script; 2 for an unknown word."""
    group = next((g for n in (2, 1) if verbs_of(g := " ".join(words[:n]), commands)), "")
    prog, rest = " ".join(["tunegate", *([group] if group else [])]), words[len(group.split()) :]
    if rest and not rest[0].startswith("-"):
        print(f"{prog}: {unknown_word(group, rest[0], commands)}", file=sys.stderr)
        raise SystemExit(2)
    usage = f"{prog} COMMAND ... | --version | --completion SHELL"
    lines, example = top_lines(commands), "split tickets.jsonl -o data"
    if group:
        verbs, usage = verbs_of(group, commands), f"{prog} VERB ..."
        lines, example = [_line(v, summary(commands[f"{group} {v}"])) for v in verbs], verbs[0]
        example += " --help"
    parser = argparse.ArgumentParser(
        prog=prog, usage=usage, description="\n".join(lines), add_help=False,
        epilog=f"example:  {prog} {example}", formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    hidden = argparse.SUPPRESS
    parser.add_argument("-h", "--help", action="help", help=hidden)
    if not group:
        version = f"tunegate {__version__}"
        parser.add_argument("--version", action="version", version=version, help=hidden)
        parser.add_argument("--completion", choices=("bash", "zsh", "fish"), help=hidden)
    if completion := getattr(parser.parse_args(rest), "completion", None):
        return print_completion(completion, commands)
    parser.print_help()
    return 0


def verbs_of(group: str, commands: Commands) -> list[str]:
    """Return the verbs of a group in the order of the work, those of other distributions last."""
    known = GROUPS.get(group, ())
    verbs = [path.removeprefix(f"{group} ") for path in commands if path.startswith(f"{group} ")]
    return sorted(verbs, key=lambda v: (known.index(v) if v in known else len(known), v))


def top_lines(commands: Commands) -> list[str]:
    """Return the commands in the order of the work, then the groups with their verbs."""
    daily = [(n, commands.get(n)) for n in DAILY if n in commands or n.startswith("pytest ")]
    others = [(n, e) for n, e in commands.items() if " " not in n and n not in DAILY]
    groups = dict.fromkeys([*GROUPS, *(path.split()[0] for path in commands if " " in path)])
    verbs = {group: ", ".join(verbs_of(group, commands)) for group in groups}
    lines = ["Fine-tuning gates as ordinary pytest. In the order of the work:", ""]
    lines += [*(_line(name, summary(e) if e else "") for name, e in daily), ""]
    shown = [f"  {group:<10} {text}" for group, text in verbs.items() if text]
    lines += [textwrap.fill(line, 79, subsequent_indent=13 * " ") for line in shown]
    return [*lines, *(_line(name, summary(e)) for name, e in sorted(others))]


def _line(name: str, text: str) -> str:
    line = f"  {name:<10} {text}".rstrip()
    return line if len(line) <= 79 else f"{line[:76]}..."


def summary(entry_point: metadata.EntryPoint) -> str:
    """Return the first paragraph of a command's docstring out of its source; it is not run."""
    try:
        if (spec := importlib.util.find_spec(entry_point.module)) is None:
            raise ModuleNotFoundError(f"No module named {entry_point.module!r}")
        text = ast.get_docstring(ast.parse(Path(spec.origin or "").read_bytes())) or ""
    except OSError:  # in a zip file
        return ""
    except (Exception, SystemExit) as error:
        return str(CommandBroken(entry_point, error))
    return " ".join(text.partition("\n\n")[0].split())


def unknown_word(group: str, word: str, commands: Commands) -> str:
    """Say that there is no such command or verb, what is near it, and which there are."""
    if group:
        verbs = verbs_of(group, commands)
        return f"no verb {word!r}{did_you_mean(word, verbs) or ';'} verbs: {', '.join(verbs)}"
    targets = {path.split()[-1]: path for path in commands} | {path: path for path in commands}
    targets |= ALIASES | {group: group for group in GROUPS if verbs_of(group, commands)}
    nearest = difflib.get_close_matches(word, targets, n=1)
    hint = f", did you mean `tunegate {targets[nearest[0]]}`?" if nearest else ";"
    return f"no command {word!r}{hint} commands: {', '.join(sorted(commands))}"


def print_completion(shell: str, commands: Commands) -> int:
    """Print the completion script of a shell; it knows each command that can be loaded."""
    try:
        shtab = require("shtab", "completion")
    except MissingDependency as error:
        print(f"tunegate --completion: {error}", file=sys.stderr)
        return 2
    top = argparse.ArgumentParser("tunegate")
    subparsers: dict[str, Any] = {"": top.add_subparsers()}
    for path, entry_point in sorted(commands.items(), key=lambda item: item[0].count(" ")):
        try:
            _, parser = load_command(path, entry_point)
        except CommandBroken:
            continue
        for action in parser._actions:
            if action.type is Path or action.metavar == "FILE":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        group, _, verb = path.rpartition(" ")
        if group not in subparsers:
            above, _, name = group.rpartition(" ")
            subparsers[group] = subparsers[above].add_parser(name, help=name).add_subparsers()
        help_text = summary(entry_point).replace("%", "%%")
        subparsers[group].add_parser(verb, help=help_text, parents=[parser], add_help=False)
    print(shtab.complete(top, shell=shell))
    return 0
