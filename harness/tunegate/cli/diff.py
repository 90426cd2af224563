"""Show the rows that were added, removed and changed in git.

A row is changed where another one asked the same. --comment writes Markdown for a pull request,
with what the last session of the data suite found.

$ tunegate data diff main
$ tunegate data diff origin/main --comment
"""

import argparse
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..checking.accepted import read_last_findings
from ..config.data_files import DataFiles, find_data_files, needs_columns
from ..config.project import current_project
from ..config.schema import load
from ..data.canonical import to_json
from ..data.comparison import question_key
from ..data.dataset import Dataset, Example
from ..data.json_lines import select_split
from ..data.tables import check_data
from ..errors import ConfigError
from ..storage.state_dir import StateDir
from ..utils.masking import masker
from ..utils.text import common_length, counted, cut, one_line

MAX_ROWS = 20  # of each kind and split; the numbers count all
TEXT_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of the rows of one split; the rows `before` are none in a new file."""

    split: str
    added: Sequence[Example]
    removed: Sequence[Example]
    changed: Sequence[tuple[Example, Example]]  # before, and now
    same: int


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("revision", metavar="REVISION", help="a branch, a tag or a commit")
    parser.add_argument("--comment", action="store_true", help="as Markdown, with the findings")


def run(args: argparse.Namespace) -> None:
    """Print what became of the rows of each split."""
    root = current_project()
    files = find_data_files(load(root), root, {}, root)
    differences = []
    for split, path in files.paths.items():
        before = rows_at(args.revision, path, split, files)
        differences.append(compare(split, before, [*files.get(split)]))
    print("\n".join((comment if args.comment else lines)(differences, args.revision, root)))


def rows_at(revision: str, path: Path, split: str, files: DataFiles) -> list[Example]:
    """Return the rows of a file in a revision, none where it lacks it; raises ConfigError."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: the rows of a file can be compared")
    git = ["git", "-C", str(path.parent)]
    known = [*git, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}"]
    commit = subprocess.run(known, capture_output=True, text=True, check=False).stdout.strip()
    if not commit:
        raise ConfigError(f"git knows no revision {revision!r} in {path.parent}")
    show = [*git, "show", f"{commit}:./{path.name}"]
    shown = subprocess.run(show, capture_output=True, check=False)
    if shown.returncode:
        return []
    if shown.stdout.startswith(b"version https://git-lfs.github.com/spec/"):
        raise ConfigError(f"{path.name} is kept by git-lfs: check {revision} out beside, and fetch")
    old, rows = Path(f"{revision}:{path.name}"), select_split(shown.stdout, split)
    columns = files.columns if needs_columns(old, rows) else {}
    check_data(rows, old, columns)
    return [*Dataset.parse(shown.stdout, split, old, columns, files.reading)]


def compare(split: str, before: Sequence[Example], now: Sequence[Example]) -> Difference:
    """Pair equal rows, then rows that ask the same, each in their order."""
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
            changed.append((pair.pop(0), example))
        else:
            added.append(example)
    removed = sorted((e for rows in asked.values() for e in rows), key=lambda e: e.row)
    return Difference(split, added, removed, changed, len(now) - len(new))


def details(difference: Difference) -> Iterator[tuple[str, str, str]]:
    """Yield kind, place and text of the rows that differ, masked, and how many more there are."""
    hide = masker(quotes=True)
    kinds: dict[str, list[tuple[int, list[str]]]] = {
        "added": [(e.line, [e.text]) for e in difference.added],
        "removed": [(e.line, [e.text]) for e in difference.removed],
        "changed": [(now.line, [old.reply, now.reply]) for old, now in difference.changed],
    }
    for kind, rows in kinds.items():
        for line, texts in rows[:MAX_ROWS]:  # masked whole: a part of a value may look like none
            old, *new = (hide(one_line(text)) for text in texts)
            yield kind, f"line {line}", change(old, *new) if new else cut(old, TEXT_WIDTH)
        if more := rows[MAX_ROWS:]:
            yield kind, "", f"and {counted(len(more), 'more row')}"


def change(old: str, new: str) -> str:
    """Return where two replies part, masked and on one line each."""
    if old == new:
        return "another field, white space or a masked value"
    start = max(common_length(old, new) - 8, 0)
    return " -> ".join(cut(text[start:], TEXT_WIDTH // 2 - 2) for text in (old, new))


def lines(differences: Sequence[Difference], revision: str, root: Path) -> Iterator[str]:
    """Yield the lines for a terminal."""
    for d in differences:
        numbers = f"{len(d.added):,} added, {len(d.removed):,} removed, {len(d.changed):,} changed"
        yield f"{d.split:<10} {numbers}, {d.same:,} as in {revision}"
        yield from (f"  {kind:<8} {place:<10} {text}" for kind, place, text in details(d))


def comment(differences: Sequence[Difference], revision: str, root: Path) -> Iterator[str]:
    """Yield the lines of a comment: numbers first, rows and findings folded."""
    yield f"### The data, compared with `{revision}`\n"
    yield "| split | added | removed | changed | as before |\n|---|--:|--:|--:|--:|"
    for d in differences:
        numbers = (len(d.added), len(d.removed), len(d.changed), d.same)
        yield f"| {d.split} | {' | '.join(f'{n:,}' for n in numbers)} |"
    last = read_last_findings(StateDir(root))
    found = [f for f in [*last.findings.values(), *last.without_id] if not f["accepted"]]
    rows = [(d.split, *row) for d in differences for row in details(d)]
    told = [(f["check"], f["kind"], f["where"], one_line(f["evidence"])) for f in found]
    session = f" in the session of {last.when}" if last.when else ": the data suite was not run"
    for title, table in (("Rows", rows), (f"{counted(len(found), 'finding')}{session}", told)):
        yield f"\n<details><summary>{title}</summary>\n\n<table>"
        for row in table[: 5 * MAX_ROWS]:
            yield f"<tr>{''.join(f'<td><code>{escape(cell)}</code></td>' for cell in row)}</tr>"
        yield "</table>\n</details>"
