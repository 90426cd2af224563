"""Accept findings of the data suite by their ids, each with a reason; without an id, list them."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..project import ConfigError, here, nearest
from ..reason import stated

if TYPE_CHECKING:
    from ..acceptance import Entry

SHOWN = "`pytest suites/data -v` shows what there is, with ids"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("ids", nargs="*", metavar="ID", help="as `pytest suites/data -v` shows it")
    parser.add_argument("--why", default="", metavar="TEXT", help="the reason; needed with an ID")


def run(args: argparse.Namespace) -> None:
    """Write the entries, or list those there are."""
    root = here()
    if args.ids:
        print("\n".join(_accept(root, list(dict.fromkeys(args.ids)), stated(args.why))))
    elif args.why:
        raise ConfigError(f"which finding? give its id; {SHOWN}")
    else:
        print("\n".join(_listed(root)))


def _accept(root: Path, ids: list[str], why: str) -> list[str]:
    from filelock import FileLock

    from .. import accepted
    from ..acceptance import Entry
    from ..registry import who
    from ..seen import recall
    from ..state import State

    if not why:
        raise ConfigError('a reason is needed: tunegate accept ID --why "..."')
    state = State(root)
    seen, by, today = recall(state), who(), datetime.now(UTC).date().isoformat()
    with FileLock(state.path("accepted.lock")):
        known = accepted.read(root)
        found = [_found(id_, seen.found) for id_ in ids if id_ not in known]
        new = [Entry(**one, why=why, who=by, when=today) for one in found]
        if new:
            accepted.add(root, new)
    lines = [f"was accepted before: {_line(known[i])}" for i in ids if i in known]
    lines += [f"accepted {_line(entry)}" for entry in new]
    lines += _unnamed(seen.found[entry.id] for entry in new)
    return [*lines, f"next     commit {accepted.FILE}, and run the suite again"]


def _found(id_: str, found: dict[str, dict[str, str]]) -> dict[str, str]:
    if not found:
        raise ConfigError(f"no findings of a session are kept here; {SHOWN}")
    if id_ not in found:
        close = nearest(id_, list(found))
        raise ConfigError(f"{id_}: the last session found nothing of this id{close or ';'} {SHOWN}")
    return {k: found[id_][k] for k in ("id", "check", "kind", "where", "evidence")}


def _unnamed(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a hint for each check without a name: the name that keeps the ids it has now."""
    # A session of an older version did not keep whether a check has a name.
    checks = dict.fromkeys(one["check"] for one in found if not one.get("named", True))
    lines = []
    for check in checks:
        lines.append(f"hint     {check} has no name: its ids change with its file's name")
        lines.append(f'         @check(name="{check}") keeps them when the file is renamed')
    return lines


def _line(entry: Entry) -> str:
    return f"{entry.id}  {entry.check} {entry.kind}, {entry.where}: {entry.evidence}"


def _listed(root: Path) -> list[str]:
    from .. import accepted
    from ..seen import recall
    from ..state import State

    entries, seen = accepted.read(root).values(), recall(State(root))
    if not entries:
        return [f"nothing is accepted; {SHOWN}"]
    lines = []
    for entry in entries:
        status = seen.status(entry)
        told = [f"{entry.why} ({entry.who}, {entry.when})", *([status] if status else [])]
        lines.append(_line(entry)[:80])
        lines += [f"{'':14}{part}" for one in told for part in textwrap.wrap(one, 66)]
    stale = sum(seen.status(entry).startswith("stale") for entry in entries)
    if stale:
        lines.append(f"{stale:,} stale: take them out of {accepted.FILE}, they accept nothing")
    return lines
