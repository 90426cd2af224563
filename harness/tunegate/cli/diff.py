"""Show the rows that changed since a revision in git, or a snapshot.

A row is changed where another one asked the same. --comment writes Markdown for a pull request,
with what the last session of the data suite found that was not accepted there.

$ tunegate data diff main
$ tunegate data diff 3fa9c1 77ab02
$ tunegate data diff origin/main --comment --post
"""

import argparse
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..checking.accepted import ACCEPTED_FILE, UNCHECKED, read_accepted, read_last_findings
from ..config.data_files import DataFiles, find_data_files, needs_columns
from ..config.project import current_project
from ..config.schema import load
from ..data.canonical import to_json
from ..data.comparison import question_key
from ..data.dataset import Dataset, Example
from ..data.json_lines import select_split
from ..data.tables import check_data
from ..errors import ConfigError
from ..reporting.html.render import render_html
from ..storage.state_dir import StateDir
from ..utils.github import post_comment
from ..utils.masking import add_json_option, mask, masker, print_result
from ..utils.text import common_length, counted, cut, one_line
from .pack import open_store

MAX_ROWS = 20  # of each kind and split; the numbers count all
TEXT_WIDTH = 60
MARKER = "<!-- tunegate data diff -->\n"  # by which the next comment finds this one
Json = Mapping[str, Any]


def arguments(parser: argparse.ArgumentParser) -> None:
    what = "a branch, a tag, a commit, or the beginning of a snapshot's sha256"
    parser.add_argument("revision", metavar="REVISION", help=what)
    parser.add_argument("other", nargs="?", metavar="OTHER", help="default: the files of now")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--comment", action="store_true", help="as Markdown, with the findings")
    add_json_option(form)
    parser.add_argument("--post", action="store_true", help="on the pull request, by gh")


def run(args: argparse.Namespace) -> None:
    """Print what became of the rows of each split."""
    root, most = current_project(), None if args.json else MAX_ROWS
    files = find_data_files(load(root), root, {}, root)
    old = version(args.revision, files)
    new = version(args.other, files) if args.other else {s: [*files.get(s)] for s in files.paths}
    splits = [compare(split, old[split], new[split], most) for split in old if split in new]
    if not splits:
        raise ConfigError(f"{args.revision} was {' and '.join(old)}, the other {' and '.join(new)}")
    lines = terminal_lines(splits, args.revision)
    if args.comment or args.post:
        found = findings_since(args.revision, StateDir(root))
        values = {"data": comparison(splits, args.revision, *found)}
        text = f"{MARKER}{render_html('data.md', **values).decode()}"
        lines = iter([post_comment(mask(text)) if args.post else text])
    told = {"revision": args.revision, "other": args.other, "splits": splits}
    print_result(args.json, told, lines)


def version(name: str, files: DataFiles) -> dict[str, list[Example]]:
    """Return the rows of each split in a revision, or of a snapshot; raises ConfigError."""
    try:
        return {split: rows_at(name, path, split, files) for split, path in files.paths.items()}
    except ConfigError:
        if not re.fullmatch("[0-9a-f]{4,64}", name):
            raise
    path, uses = open_store().open(name, "revision or snapshot")
    data, columns = path.read_bytes(), {use.split: dict(use.columns) for use in uses}
    parsed = {s: Dataset.parse(data, s, "", c, files.reading) for s, c in columns.items()}
    return {split: [*dataset] for split, dataset in parsed.items()}


def findings_since(revision: str, state: StateDir) -> tuple[list[tuple[str, Json]], str]:
    """Return what was found that was not accepted in a revision, or is gone; and in which session.

    A finding that no session looked for is not gone.
    """
    last = read_last_findings(state)
    accepted = file_at(revision, state.root / ACCEPTED_FILE)
    entries = read_accepted(state.root, accepted).values() if accepted else ()
    before = [asdict(entry) for entry in entries if last.status(entry) != UNCHECKED]
    changes = finding_changes(before, last.every)
    about = f"Findings in the session of {last.when}" if last.when else "The data suite was not run"
    return changes, about


def finding_changes(before: Sequence[Json], now: Sequence[Json]) -> list[tuple[str, Json]]:
    """Return the findings that are new, those without an id too, and those that are gone."""
    old, found = ({f["id"]: f for f in findings if f["id"]} for findings in (before, now))
    new = [("new", f) for f in now if f["id"] not in old]
    return [*new, *(("gone", f) for id_, f in old.items() if id_ not in found)]


def file_at(revision: str, path: Path) -> bytes:
    """Return the bytes of a file in a revision, none where it lacks it; raises ConfigError."""
    git = ["git", "-C", str(path.parent)]
    known = [*git, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}"]
    commit = subprocess.run(known, capture_output=True, text=True, check=False).stdout.strip()
    if not commit:
        raise ConfigError(f"git knows no revision {revision!r} in {path.parent}")
    show = [*git, "show", f"{commit}:./{path.name}"]
    shown = subprocess.run(show, capture_output=True, check=False)
    if shown.stdout.startswith(b"version https://git-lfs.github.com/spec/"):
        raise ConfigError(f"{path.name} is kept by git-lfs: check {revision} out beside, and fetch")
    return b"" if shown.returncode else shown.stdout


def rows_at(revision: str, path: Path, split: str, files: DataFiles) -> list[Example]:
    """Return the rows of a file in a revision, none where it lacks it; raises ConfigError."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: the rows of a file can be compared")
    if not (content := file_at(revision, path)):
        return []
    old, rows = Path(f"{revision}:{path.name}"), select_split(content, split)
    columns = files.columns if needs_columns(old, rows) else {}
    check_data(rows, old, columns)
    return [*Dataset.parse(content, split, old, columns, files.reading)]


def compare(
    split: str, before: Sequence[Example], now: Sequence[Example], most: int | None = None
) -> dict[str, Any]:
    """Pair equal rows, then rows that ask the same, each in their order.

    Returns how many rows are `added`, `removed`, `changed` and the `same`, and of each kind the
    first ones: kind, line and text, masked.
    """
    left, added, changed = defaultdict(list), [], []
    for example in before:
        left[to_json(example.fields)].append(example)
    new = [e for e in now if not ((same := left[to_json(e.fields)]) and same.pop(0))]
    gone = sorted((e for rows in left.values() for e in rows), key=lambda e: e.row)
    asked = defaultdict(list)
    for example in gone:
        asked[question_key(example, with_system=True)].append(example)
    for example in new:
        if pair := asked[question_key(example, with_system=True)]:
            changed.append((example.line, [pair.pop(0).reply, example.reply]))
        else:
            added.append((example.line, [example.text]))
    removed = sorted((e for rows in asked.values() for e in rows), key=lambda e: e.row)
    hide, rows = masker(quotes=True), list[dict[str, Any]]()
    kinds = {"added": added, "removed": [(e.line, [e.text]) for e in removed], "changed": changed}
    for kind, of_kind in kinds.items():
        for line, texts in of_kind[:most]:  # masked whole: a part of a value may look like none
            old, *other = (hide(one_line(text)) for text in texts)
            text = change(old, *other) if other else cut(old, TEXT_WIDTH)
            rows.append({"kind": kind, "line": line, "text": text})
    counts = {kind: len(of_kind) for kind, of_kind in kinds.items()}
    return {"split": split, **counts, "same": len(now) - len(new), "rows": rows}


def details(told: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield kind, place and text of the rows that differ, and how many more there are."""
    for kind in ("added", "removed", "changed"):
        rows = [row for row in told["rows"] if row["kind"] == kind]
        yield from ((kind, f"line {row['line']}", row["text"]) for row in rows)
        if more := told[kind] - len(rows):
            yield kind, "", f"and {counted(more, 'more row')}"


def change(old: str, new: str) -> str:
    """Return where two replies part, masked and on one line each."""
    if old == new:
        return "another field, white space or a masked value"
    start = max(common_length(old, new) - 8, 0)
    return " -> ".join(cut(text[start:], TEXT_WIDTH // 2 - 2) for text in (old, new))


def terminal_lines(splits: Sequence[Json], revision: str) -> Iterator[str]:
    """Yield the lines for a terminal."""
    for d in splits:
        numbers = ", ".join(f"{d[kind]:,} {kind}" for kind in ("added", "removed", "changed"))
        yield f"{d['split']:<10} {numbers}, {d['same']:,} as in {revision}"
        yield from (f"  {kind:<8} {place:<10} {text}" for kind, place, text in details(d))


def comparison(
    splits: Sequence[Json], other: str, found: Sequence[tuple[str, Json]], about: str
) -> dict[str, Any]:
    """Return what the template of a comment shows: the first rows, and `finding_changes`."""
    rows = [(d["split"], *row) for d in splits for row in details(d)][: 5 * MAX_ROWS]
    told = [(c, f["check"], f["kind"], f["where"], f["evidence"]) for c, f in found]
    kinds = Counter(f"{change} {check} {kind}" for change, check, kind, *_ in told).most_common()
    about_found = {"about": about, "found": told[: 5 * MAX_ROWS], "kinds": kinds}
    return {"splits": splits, "other": other, "rows": rows, **about_found}
