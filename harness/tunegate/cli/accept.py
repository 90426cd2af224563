"""Accept findings of the data suite by their ids, each with a reason; without an id, list them."""

from __future__ import annotations

import argparse
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.project import current_project
from ..errors import ConfigError
from ..gates.reason import checked_reason
from ..utils.text import did_you_mean

if TYPE_CHECKING:
    from ..results.acceptance import AcceptedEntry

HINT_SHOW_IDS = "`pytest suites/data -v` shows what there is, with ids"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the ids and the reason."""
    parser.add_argument("ids", nargs="*", metavar="ID", help="as `pytest suites/data -v` shows it")
    parser.add_argument("--why", default="", metavar="TEXT", help="the reason; needed with an ID")


def run(args: argparse.Namespace) -> None:
    """Append entries to accepted.toml; without an id, list the entries that it has."""
    root = current_project()
    if args.ids:
        ids, why = list(dict.fromkeys(args.ids)), checked_reason(args.why)
        print("\n".join(accept_findings(root, ids, why)))
    elif args.why:
        raise ConfigError(f"which finding? give its id; {HINT_SHOW_IDS}")
    else:
        print("\n".join(list_accepted(root)))


def accept_findings(root: Path, ids: list[str], why: str) -> list[str]:
    """Append an entry for each id to accepted.toml and return the lines to print.

    Raises ConfigError where there is no reason, or where the last session of the data suite has no
    finding of such an id.
    """
    from filelock import FileLock

    from ..checking import accepted
    from ..checking.last_findings import read_last_findings
    from ..results.acceptance import AcceptedEntry
    from ..storage.registry import current_user
    from ..storage.state_dir import StateDir

    if not why:
        raise ConfigError('a reason is needed: tunegate accept ID --why "..."')
    state = StateDir(root)
    findings, user = read_last_findings(state).findings, current_user()
    today = datetime.now(UTC).date().isoformat()
    entries, lines = [], []
    with FileLock(state.path("accepted.lock")):
        earlier = accepted.read_accepted(root)
        for id_ in ids:
            if id_ in earlier:
                lines.append(f"was accepted before: {_entry_line(earlier[id_])}")
                continue
            if not findings:
                raise ConfigError(f"no findings of a session are kept here; {HINT_SHOW_IDS}")
            if id_ not in findings:
                close = did_you_mean(id_, list(findings)) or ";"
                missing = f"{id_}: the last session found nothing of this id{close}"
                raise ConfigError(f"{missing} {HINT_SHOW_IDS}")
            values = {k: findings[id_][k] for k in ("id", "check", "kind", "where", "evidence")}
            entries.append(AcceptedEntry(**values, why=why, who=user, when=today))
        if entries:
            accepted.append_entries(root, entries)
    lines += [f"accepted {_entry_line(entry)}" for entry in entries]
    # The findings of an older version do not say whether their check has a name.
    unnamed = (entry.check for entry in entries if not findings[entry.id].get("named", True))
    for check in dict.fromkeys(unnamed):
        lines.append(f"hint     {check} has no name: its ids change with its file's name")
        lines.append(f'         @check(name="{check}") keeps them when the file is renamed')
    return [*lines, f"next     commit {accepted.ACCEPTED_FILE}, and run the suite again"]


def list_accepted(root: Path) -> list[str]:
    """Return lines for each entry of accepted.toml: finding, reason, and whether it is stale."""
    from ..checking import accepted
    from ..checking.last_findings import read_last_findings
    from ..storage.state_dir import StateDir

    entries = accepted.read_accepted(root).values()
    last_findings = read_last_findings(StateDir(root))
    if not entries:
        return [f"nothing is accepted; {HINT_SHOW_IDS}"]
    lines, stale = [], 0
    for entry in entries:
        status = last_findings.status(entry)
        stale += status.startswith("stale")
        texts = [f"{entry.why} ({entry.who}, {entry.when})", *([status] if status else [])]
        lines.append(_entry_line(entry)[:80])
        lines += [f"{'':14}{part}" for text in texts for part in textwrap.wrap(text, 66)]
    if stale:
        advice = f"take them out of {accepted.ACCEPTED_FILE}, they accept nothing"
        lines.append(f"{stale:,} stale: {advice}")
    return lines


def _entry_line(entry: AcceptedEntry) -> str:
    return f"{entry.id}  {entry.check} {entry.kind}, {entry.where}: {entry.evidence}"
