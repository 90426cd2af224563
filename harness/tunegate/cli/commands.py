"""The commands of `tunegate`: their names, their order, and how one of them is loaded."""

import argparse
import textwrap
from importlib import metadata
from typing import Protocol

ENTRY_POINT_GROUP = "tunegate.commands"

# The commands of the core, as other distributions name theirs in entry points: "GROUP.VERB". The
# module of each, here, has the name of its verb.
BUILTIN_COMMANDS = (
    *("init", "split", "accept", "failures", "mutate", "doctor"),
    *("data.findings", "data.schema", "run.resume", "run.purge"),
    *("registry.history", "registry.rollback", "registry.verify", "registry.merge"),
)

# In the order of the work, which is the order of the help; pytest's commands stand between them.
DAILY = (
    *("init", "split", "fix", "accept"),
    "pytest suites/data --train-with qlora",
    "pytest suites/model --model latest --promote production",
    *("mutate", "report", "failures", "demo", "doctor"),
)
GROUPS = {
    "data": ("generate", "findings", "schema", "plan", "tokens"),
    "run": (
        *("preflight", "resume", "join", "job", "export", "import", "merge", "serve-check"),
        "purge",
    ),
    "registry": ("history", "rollback", "verify", "merge"),
    "review": ("sample", "serve", "status", "rate"),
    "model": (),
}

# Former names: they stay valid, and stand in no help.
ALIASES = {
    **{verb: f"run {verb}" for verb in ("export", "job", "join", "merge", "purge", "resume")},
    **{"cancel": "run job --cancel", "dry-run": "run preflight", "import-run": "run import"},
    **{"history": "registry history", "rollback": "registry rollback", "tokens": "data tokens"},
}
# Former commands that nothing replaces, and what to know instead.
REMOVED = {"card": "the model card is written with each scorecard: pytest suites/model --model RUN"}

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
    return {name.replace(".", " ", 1): entry_point for name, entry_point in installed.items()}


def load_command(
    path: str, entry_point: metadata.EntryPoint
) -> tuple[Command, argparse.ArgumentParser]:
    """Import a command, and make the parser of its arguments; raises CommandBroken."""
    try:
        command: Command = entry_point.load()
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
        raise CommandBroken(entry_point, error) from None
    return command, parser
