"""List every finding of the last session of the data suite.

With --json each stands on a line of its own.

$ tunegate data findings
$ tunegate data findings --check pii --split test
$ tunegate data findings --html findings.html
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checking.accepted import none_of, read_last_findings
from ..config.project import current_project
from ..errors import ConfigError
from ..storage.state_dir import StateDir
from ..utils.files import atomic_write
from ..utils.masking import add_json_option, mask, print_json
from ..utils.text import counted

if TYPE_CHECKING:
    from rich.console import Console

FILTERS = ("check", "kind", "split")


def arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    for name in FILTERS:
        add(f"--{name}", metavar="NAME", help=f"only the findings of this {name}")
    add("--accepted", action="store_true", help="those that are accepted, too")
    form = parser.add_mutually_exclusive_group()
    add_json_option(form)
    form.add_argument("--html", type=Path, metavar="FILE", help="write a page")


def run(args: argparse.Namespace) -> None:
    """Print the findings, on a terminal in a pager."""
    last = read_last_findings(StateDir(current_project()))
    if not last.when:
        raise ConfigError("no session of the data suite is kept here: run pytest suites/data")
    found = [f for f in last.every if args.accepted or not f["accepted"]]
    for name in FILTERS:
        found = matching(found, name, getattr(args, name))
    if args.json:
        keys = ("id", "check", "kind", "split", "where", "evidence", "accepted")
        for finding in found:
            print_json({key: finding[key] for key in keys}, indent=None)
        return
    from rich.console import Console

    heading = f"{counted(len(found), 'finding')} of the session of {last.when}"
    if args.html:
        console = Console(record=True, file=StringIO(), width=160)
        show(console, heading, found)
        atomic_write(args.html, mask(console.export_html()).encode(), mode=0o600)
        print(f"{args.html}: {heading}")
        return
    console = Console(highlight=False)
    os.environ.setdefault("LESS", "-FRX")  # as git has it: without -R it prints colours as letters
    is_long = sys.stdout.isatty() and len(found) > console.height
    with console.pager(styles=True) if is_long else nullcontext():
        show(console, heading, found)


def matching(found: Sequence[dict[str, Any]], name: str, value: str | None) -> list[dict[str, Any]]:
    """Return the findings of a check, kind or split; raises ConfigError where there are none."""
    if value is None:
        return [*found]
    counts = Counter(part for f in found for part in str(f[name]).split(", "))
    if value not in counts:
        raise none_of(f"no findings of the {name}", value, counts)
    return [f for f in found if value in str(f[name]).split(", ")]


def show(console: "Console", heading: str, found: Sequence[dict[str, Any]]) -> None:
    """Print a table of the findings of each check."""
    from rich.table import Table
    from rich.text import Text

    console.print(Text(heading, style="bold"))
    for check in dict.fromkeys(f["check"] for f in found):
        rows = [f for f in found if f["check"] == check]
        table = Table("id", "kind", "where", "evidence", box=None, title_justify="left")
        table.title = Text(f"\n{check}: {len(rows):,}", style="bold")
        for f in rows:
            id_ = f"{f['id'] or '-'}{' accepted' if f['accepted'] else ''}"
            table.add_row(*map(Text, (id_, f["kind"], f["where"], f["evidence"])))
        console.print(table)
