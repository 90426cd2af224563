"""Show the rows that were added, removed and changed in git.

A row is changed where another one asked the same. --comment writes Markdown for a pull request,
with what the last session of the data suite found.

$ tunegate data diff main
$ tunegate data diff origin/main --comment
"""

import argparse
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

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
from ..utils.masking import add_json_option, masker, print_result
from ..utils.text import common_length, counted, cut, one_line

MAX_ROWS = 20  # of each kind and split; the numbers count all
TEXT_WIDTH = 60


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("revision", metavar="REVISION", help="a branch, a tag or a commit")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--comment", action="store_true", help="as Markdown, with the findings")
    add_json_option(form)


def run(args: argparse.Namespace) -> None:
    """Print what became of the rows of each split."""
    root, splits, most = current_project(), [], None if args.json else MAX_ROWS
    files = find_data_files(load(root), root, {}, root)
    for split, path in files.paths.items():
        before = rows_at(args.revision, path, split, files)
        splits.append(compare(split, before, [*files.get(split)], most))
    lines = (comment if args.comment else terminal_lines)(splits, args.revision, root)
    print_result(args.json, {"revision": args.revision, "splits": splits}, lines)


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


def terminal_lines(splits: Sequence[Mapping[str, Any]], revision: str, root: Path) -> Iterator[str]:
    """Yield the lines for a terminal."""
    for d in splits:
        numbers = ", ".join(f"{d[kind]:,} {kind}" for kind in ("added", "removed", "changed"))
        yield f"{d['split']:<10} {numbers}, {d['same']:,} as in {revision}"
        yield from (f"  {kind:<8} {place:<10} {text}" for kind, place, text in details(d))


def comment(splits: Sequence[Mapping[str, Any]], revision: str, root: Path) -> Iterator[str]:
    """Yield the lines of a comment: numbers first, rows and findings folded."""
    yield f"### The data, compared with `{revision}`\n"
    yield "| split | added | removed | changed | as before |\n|---|--:|--:|--:|--:|"
    for d in splits:
        numbers = (f"{d[kind]:,}" for kind in ("added", "removed", "changed", "same"))
        yield f"| {d['split']} | {' | '.join(numbers)} |"
    last = read_last_findings(StateDir(root))
    found = [f for f in [*last.findings.values(), *last.without_id] if not f["accepted"]]
    rows = [(d["split"], *row) for d in splits for row in details(d)]
    told = [(f["check"], f["kind"], f["where"], one_line(f["evidence"])) for f in found]
    session = f" in the session of {last.when}" if last.when else ": the data suite was not run"
    for title, table in (("Rows", rows), (f"{counted(len(found), 'finding')}{session}", told)):
        yield f"\n<details><summary>{title}</summary>\n\n<table>"
        for row in table[: 5 * MAX_ROWS]:
            yield f"<tr>{''.join(f'<td><code>{escape(cell)}</code></td>' for cell in row)}</tr>"
        yield "</table>\n</details>"
