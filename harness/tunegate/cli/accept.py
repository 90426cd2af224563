"""Accept findings of the data suite, each with a reason.

Without arguments, list what is accepted. With --check and --all, accept what the check found in the
last session: only new findings close the gate then.

$ tunegate accept 3fa9c1d20b77 --why "our own address"
$ tunegate accept --check duplicates --all --why "from the old system"
"""

import argparse
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from ..checking import accepted
from ..checking.accepted import LastFindings, none_of, read_last_findings
from ..config.data_files import find_data_files
from ..config.project import current_project
from ..config.schema import load
from ..errors import ConfigError
from ..gates.decision import CollectionFailed, collect_suite
from ..results.outcome import AcceptedEntry
from ..storage.registry import checked_reason, current_user
from ..storage.state_dir import StateDir
from ..utils.masking import add_json_option, mask, print_result
from ..utils.text import did_you_mean

HINT_SHOW_IDS = "`tunegate data findings` shows what there is, with ids"
MAX_LINES = 10  # entries that are shown one by one
# What is said of the entries of a status, by what was done.
LABELS = {
    "accept": {"was accepted before:": "accepted before", "accepted": "accepted"},
    "prune": {"dropped": "dropped", "kept, its check did not run:": accepted.UNCHECKED}, "list": {},
}  # fmt: skip
Entries = list[tuple[str, AcceptedEntry]]  # each behind what became of it, or how it stands


def arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("ids", nargs="*", metavar="ID", help="as `tunegate data findings` shows it")
    add("--check", metavar="NAME", help="all findings of this check; with --all")
    add("--kind", help="of these, only the findings of this kind")
    add("--all", action="store_true", help="accept all that the last session found")
    add("--why", default="", metavar="TEXT", help="the reason; needed to accept")
    add("--prune", action="store_true", help="drop the entries whose finding is gone")
    add_json_option(parser)


def run(args: argparse.Namespace) -> None:
    """Append entries to accepted.toml, or drop some; without arguments, list them."""
    root = current_project()
    state = StateDir(root)
    last = read_last_findings(state)
    why = checked_reason(args.why)
    if args.prune:
        if args.ids or args.check or args.kind or args.all or why:
            raise ConfigError("--prune goes alone: it drops entries, and accepts nothing")
        action, entries = "prune", prune_entries(state, last)
    elif args.ids or args.check or args.kind or args.all:
        if (ids := [*dict.fromkeys(args.ids)]) and (args.check or args.kind or args.all):
            raise ConfigError("ids, or --check NAME --all: not both")
        if not ids and not (args.check and args.all):
            raise ConfigError("all findings of a check: --check NAME --all, or of one --kind")
        ids = ids or ids_of_check(last, args.check, args.kind)
        action, entries = "accept", accept_findings(state, last, ids, why)
    elif why:
        raise ConfigError(f"which finding? give its id; {HINT_SHOW_IDS}")
    else:
        listed = accepted.read_accepted(root).values()
        action, entries = "list", [(last.status(entry), entry) for entry in listed]
    told = [{"status": status.partition(":")[0], **asdict(entry)} for status, entry in entries]
    print_result(args.json, {"action": action, "entries": told}, lines(action, entries, last))


def ids_of_check(last: LastFindings, check: str, kind: str | None) -> list[str]:
    """Return the ids of what a check found in the last session; raises ConfigError for nothing."""
    found = last.findings.values()
    checks = Counter(str(f["check"]) for f in found)
    if check not in checks:
        if check in {name for name, _ in last.judged_splits}:
            raise ConfigError(f"the check {check!r} found nothing in the last session")
        raise none_of("no findings of a check", check, checks, "the last session has")
    kinds = Counter(str(f["kind"]) for f in found if f["check"] == check)
    if kind is not None and kind not in kinds:
        raise none_of(f"no findings of {check} of a kind", kind, kinds)
    return [f["id"] for f in found if f["check"] == check and kind in (None, f["kind"])]


def accept_findings(state: StateDir, last: LastFindings, ids: list[str], why: str) -> Entries:
    """Append an entry for each id to accepted.toml, and return all; raises ConfigError."""
    if not why:
        raise ConfigError('a reason is needed: tunegate accept ID --why "..."')
    findings, user = last.findings, current_user()
    today = datetime.now(UTC).date().isoformat()
    entries, before = [], []
    with FileLock(state.path("accepted.lock")):
        earlier = accepted.read_accepted(state.root)
        for id_ in ids:
            entry, found_in = earlier.get(id_), findings.get(id_, {}).get("split", "").split(", ")
            if entry and (id_ not in findings or all(map(entry.holds_in, found_in))):
                before.append(entry)
                continue
            if not findings:
                raise ConfigError("no findings of a session are kept here: run pytest suites/data")
            if id_ not in findings:
                close = did_you_mean(id_, list(findings)) or ";"
                missing = f"{id_}: the last session found nothing of this id{close}"
                raise ConfigError(f"{missing} {HINT_SHOW_IDS}")
            values = {k: findings[id_][k] for k in ("id", "check", "kind", "where", "evidence")}
            # Older sessions kept what a check said as it was.
            values["evidence"] = mask(values["evidence"], quotes=True)
            split = ", ".join(sorted({*found_in, *(entry.splits if entry else ())} - {""}))
            entries.append(AcceptedEntry(**values, why=why, who=user, when=today, split=split))
        if replaced := [entry.id for entry in entries if entry.id in earlier]:
            accepted.remove_entries(state.root, replaced)  # accepted in another split so far
        if entries:
            accepted.append_entries(state.root, entries)
    done = {"accepted before": before, "accepted": entries}
    return [(status, entry) for status, group in done.items() for entry in group]


def prune_entries(state: StateDir, last: LastFindings) -> Entries:
    """Drop entries whose finding is gone, and return all; raises ConfigError without a session."""
    root = state.root
    if reason := incomplete_session(root, last):
        raise ConfigError(f"nothing was dropped: {reason}; run the whole data suite first")
    with FileLock(state.path("accepted.lock")):
        entries = [(last.status(e), e) for e in accepted.read_accepted(root).values()]
        if gone := [entry.id for status, entry in entries if status == accepted.STALE]:
            accepted.remove_entries(root, gone)
    return [("dropped" if status == accepted.STALE else status, entry) for status, entry in entries]


def incomplete_session(root: Path, last: LastFindings) -> str:
    """Say why the last session does not tell which findings are gone; "" where it does."""
    config = load(root)
    if not last.tests:
        return "no session of the data suite is kept here"
    if find_data_files(config, root, {}, root).current_digests() != last.digests:
        return "the last session looked at other data than the configured files are now"
    try:
        collected = collect_suite(root / config.suites.data, root)
    except CollectionFailed as error:
        return f"the suite could not be listed ({error})"
    if missing := [test for test in collected.tests if test not in last.tests]:
        return f"in the last session {len(missing):,} of {len(collected.tests):,} tests did not run"
    return ""


def lines(action: str, entries: Entries, last: LastFindings) -> Iterator[str]:
    """Yield what was done to entries, or of a list, which finding each accepts, and why."""
    n = Counter(status for status, _ in entries)
    for label, status in LABELS[action].items():
        yield from entry_lines(label, [entry for s, entry in entries if s == status])
    if action == "accept":
        # The findings of an older version do not say whether their check has a name.
        new = (entry for status, entry in entries if status == "accepted")
        unnamed = (e.check for e in new if not last.findings[e.id].get("named", True))
        for check in dict.fromkeys(unnamed):
            yield f"hint     {check} has no name: its ids change with its file's name"
            yield f'         @check(name="{check}") keeps them when the file is renamed'
        yield f"next     commit {accepted.ACCEPTED_FILE}, and run the suite again"
    elif action == "prune":
        kept = f"{n[accepted.IN_FORCE]:,} that still stand"
        yield f"{n['dropped']:,} dropped; kept: {kept}, {n[accepted.UNCHECKED]:,} not looked for"
    elif not entries:
        yield f"nothing is accepted; {HINT_SHOW_IDS}"
    for status, entry in entries if action == "list" else ():
        yield _entry_line(entry)[:80]
        texts = [f"{entry.why} ({entry.who}, {entry.when})", status]
        for text in texts[: 1 if status == accepted.IN_FORCE else 2]:
            yield from (f"{'':14}{part}" for part in textwrap.wrap(text, 66))
    if stale := n[accepted.STALE]:
        yield f"{stale:,} stale, which accept nothing: `tunegate accept --prune` drops them"


def entry_lines(label: str, entries: Sequence[AcceptedEntry]) -> Iterator[str]:
    """Yield a line for each entry; of many, the first ones and how many more there are by kind."""
    yield from (f"{label} {_entry_line(entry)}" for entry in entries[:MAX_LINES])
    if rest := entries[MAX_LINES:]:
        kinds = Counter(f"{entry.check} {entry.kind}" for entry in rest)
        more = ", ".join(f"{n:,} {kind}" for kind, n in kinds.most_common())
        yield f"{label} {len(rest):,} more: {more}"


def _entry_line(entry: AcceptedEntry) -> str:
    return f"{entry.id}  {entry.check} {entry.kind}, {entry.where}: {entry.evidence}"
