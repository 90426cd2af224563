"""Accept findings of the data suite by their ids, each with a reason; without an id, list them."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.project import current_project
from ..errors import ConfigError
from ..gates.reason import checked_reason
from ..utils.text import did_you_mean

if TYPE_CHECKING:
    from ..results.acceptance import AcceptedEntry

HINT_SHOW_IDS = "`pytest suites/data -v` shows what there is, with ids"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("ids", nargs="*", metavar="ID", help="as `pytest suites/data -v` shows it")
    parser.add_argument("--why", default="", metavar="TEXT", help="the reason; needed with an ID")


def run(args: argparse.Namespace) -> None:
    """Write the entries, or list those there are."""
    root = current_project()
    if args.ids:
        print("\n".join(_accept_ids(root, list(dict.fromkeys(args.ids)), checked_reason(args.why))))
    elif args.why:
        raise ConfigError(f"which finding? give its id; {HINT_SHOW_IDS}")
    else:
        print("\n".join(_list_entries(root)))


def _accept_ids(root: Path, ids: list[str], why: str) -> list[str]:
    from filelock import FileLock

    from ..checking import accepted
    from ..checking.last_findings import read_last_findings
    from ..results.acceptance import AcceptedEntry
    from ..storage.registry import current_user
    from ..storage.state_dir import StateDir

    if not why:
        raise ConfigError('a reason is needed: tunegate accept ID --why "..."')
    state = StateDir(root)
    last_findings, user, today = (
        read_last_findings(state),
        current_user(),
        datetime.now(UTC).date().isoformat(),
    )
    with FileLock(state.path("accepted.lock")):
        already_accepted = accepted.read_accepted(root)
        findings = [
            _finding_of(id_, last_findings.findings) for id_ in ids if id_ not in already_accepted
        ]
        entries = [AcceptedEntry(**values, why=why, who=user, when=today) for values in findings]
        if entries:
            accepted.append_entries(root, entries)
    lines = [
        f"was accepted before: {_entry_line(already_accepted[i])}"
        for i in ids
        if i in already_accepted
    ]
    lines += [f"accepted {_entry_line(entry)}" for entry in entries]
    lines += _unnamed(last_findings.findings[entry.id] for entry in entries)
    return [*lines, f"next     commit {accepted.ACCEPTED_FILE}, and run the suite again"]


def _finding_of(id_: str, findings: dict[str, dict[str, str]]) -> dict[str, str]:
    if not findings:
        raise ConfigError(f"no findings of a session are kept here; {HINT_SHOW_IDS}")
    if id_ not in findings:
        close = did_you_mean(id_, list(findings))
        raise ConfigError(
            f"{id_}: the last session found nothing of this id{close or ';'} {HINT_SHOW_IDS}"
        )
    return {k: findings[id_][k] for k in ("id", "check", "kind", "where", "evidence")}


def _unnamed(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a hint for each check without a name: the name that keeps the ids it has now."""
    # A session of an older version did not keep whether a check has a name.
    checks = dict.fromkeys(one["check"] for one in found if not one.get("named", True))
    lines = []
    for check in checks:
        lines.append(f"hint     {check} has no name: its ids change with its file's name")
        lines.append(f'         @check(name="{check}") keeps them when the file is renamed')
    return lines


def _entry_line(entry: AcceptedEntry) -> str:
    return f"{entry.id}  {entry.check} {entry.kind}, {entry.where}: {entry.evidence}"


def _list_entries(root: Path) -> list[str]:
    from ..checking import accepted
    from ..checking.last_findings import read_last_findings
    from ..storage.state_dir import StateDir

    entries, last_findings = (
        accepted.read_accepted(root).values(),
        read_last_findings(StateDir(root)),
    )
    if not entries:
        return [f"nothing is accepted; {HINT_SHOW_IDS}"]
    lines = []
    for entry in entries:
        status = last_findings.status(entry)
        texts = [f"{entry.why} ({entry.who}, {entry.when})", *([status] if status else [])]
        lines.append(_entry_line(entry)[:80])
        lines += [f"{'':14}{part}" for text in texts for part in textwrap.wrap(text, 66)]
    stale = sum(last_findings.status(entry).startswith("stale") for entry in entries)
    if stale:
        lines.append(
            f"{stale:,} stale: take them out of {accepted.ACCEPTED_FILE}, they accept nothing"
        )
    return lines
