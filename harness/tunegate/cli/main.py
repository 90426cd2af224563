"""`tunegate COMMAND`: finds the command that is named, loads it alone, and runs it."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import exit_codes
from ..config.project import public_lists
from ..errors import ConfigError
from ..utils.masking import let_through, masked_output, print_masked
from ..utils.optional_deps import MissingDependency
from ..utils.text import os_error_text
from .commands import ALIASES, REMOVED, CommandBroken, installed_commands, load_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that is named and return its exit status, 2 for a mistake.

    It ends without a word where nobody reads what it prints any more, as in `tunegate fix | head`.
    """
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
    name = words[0] if words else ""
    if name in REMOVED:
        print(f"tunegate {name} is gone: {REMOVED[name]}", file=sys.stderr)
        return 2
    words[:1] = ALIASES[name].split() if name in ALIASES else words[:1]
    commands = installed_commands()
    size = next((n for n in (1, 2) if " ".join(words[:n]) in commands), 0)
    if not size:
        from .help import answer_without_command

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
