"""What `tunegate` prints where no command is named: help, the nearest command, completion."""

import argparse
import ast
import difflib
import importlib.util
import sys
import textwrap
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..utils.optional_deps import MissingDependency, require
from ..utils.text import did_you_mean
from .commands import ALIASES, DAILY, GROUPS, CommandBroken, Commands, load_command

COMPLETED_SHELLS = ("bash", "zsh", "fish")


def answer_without_command(words: Sequence[str], commands: Commands) -> int:
    """Print the help of the top or of a group, or a completion script; 2 for an unknown word."""
    group = words[0] if words and verbs_of(words[0], commands) else ""
    prog, rest = " ".join(["tunegate", *([group] if group else [])]), words[bool(group) :]
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
        epilog=f"example:  {prog} {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    hidden = argparse.SUPPRESS
    parser.add_argument("-h", "--help", action="help", help=hidden)
    if not group:
        version = f"tunegate {__version__}"
        parser.add_argument("--version", action="version", version=version, help=hidden)
        parser.add_argument("--completion", choices=COMPLETED_SHELLS, help=hidden)
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
        spec = importlib.util.find_spec(entry_point.module)
        if spec is None:
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
    for path, entry_point in commands.items():
        try:
            _, parser = load_command(path, entry_point)
        except CommandBroken:
            continue
        for action in parser._actions:
            if action.type is Path or action.metavar == "FILE":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        group, _, verb = path.rpartition(" ")
        if group not in subparsers:
            subparsers[group] = subparsers[""].add_parser(group, help=group).add_subparsers()
        help_text = summary(entry_point).replace("%", "%%")
        subparsers[group].add_parser(verb, help=help_text, parents=[parser], add_help=False)
    print(shtab.complete(top, shell=shell))
    return 0
