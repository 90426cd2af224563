"""Remove data, here and in the store, and the answers to it.

--person reads values of a person, one a line (`-`: from stdin), purges what holds one, and names
what is left: your own files, and models that were trained on it.

$ tunegate run purge 3fa9c1
$ tunegate run purge --person - --dry-run
"""

import argparse
import io
import re
import shutil
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from ..checking.accepted import LAST_FINDINGS_FILE
from ..config.schema import load
from ..data import SPLITS
from ..data.dataset import Dataset
from ..errors import ConfigError
from ..models.predict import request_of
from ..storage.answer_cache import AnswerCache, delete_judge_answers
from ..storage.registry import Registry
from ..storage.state_dir import only_one
from ..storage.store import Store, Use
from ..utils.masking import print_result
from ..utils.optional_deps import require
from ..utils.text import counted, without_accents
from ..utils.timestamps import parse_age
from .list import aliases_by_run
from .pack import add_options, open_store

Holds = Callable[[bytes], bool]


def arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("digest", nargs="?", metavar="DIGEST", help="the beginning of the dataset's sha256")
    add("--person", metavar="FILE", help="what holds a value of FILE")
    add("--unused", type=parse_age, metavar="AGE", help="what no promoted or younger run read")
    add("--dry-run", action="store_true", help="name it, and remove nothing")
    add_options(parser)


def run(args: argparse.Namespace) -> None:
    """Delete the data and print what is gone, and what is left."""
    if sum(value is not None for value in (args.digest, args.person, args.unused)) != 1:
        raise ConfigError("give one of DIGEST, --person FILE and --unused AGE")
    store, holds, told = open_store(args.store), None, dict[str, Any](left=[])
    root, uses = store.state.root, store.uses()
    kept = {digest: path for digest in uses if (path := store.find(digest))}
    if args.person is not None:
        text = sys.stdin.read() if args.person == "-" else Path(args.person).read_text("utf-8")
        holds = holder_of([line.strip() for line in text.splitlines() if line.strip()])
        purged = [digest for digest, path in kept.items() if holds(path.read_bytes())]
        data = [root / name for split in SPLITS if (name := getattr(load(root).data, split))]
        files = {f for path in data for f in (path, *path.rglob("*")) if f.is_file()}
        told["left"] = [str(file) for file in sorted(files) if holds(file.read_bytes())]
    elif args.unused is not None:
        since = time.time() - args.unused
        promoted = {entry.get("run") for entry in Registry(root).entries()}
        times = {d: [datetime.fromisoformat(u.made).timestamp() for u in uses[d]] for d in kept}
        old = [d for d, path in kept.items() if max([path.stat().st_mtime, *times[d]]) < since]
        purged = [d for d in old if promoted.isdisjoint(use.run for use in uses[d])]
    else:
        purged = [only_one(args.digest, kept, "snapshot")]
    runs = sorted({u.run for d in purged for u in uses[d] if u.split != "test"})
    aliases = aliases_by_run(store)
    told["trained"] = [{"run": run, "aliases": aliases.get(run, [])} for run in runs]
    answers = purge_snapshots(store, {d: uses[d] for d in purged}, holds, args.dry_run)
    told |= {"removed": not args.dry_run, "snapshots": purged, "answers": answers}
    verb = "would remove" if args.dry_run else "removed"
    names = ", ".join(digest[:12] for digest in purged) or "no snapshot"
    lines = [f"{verb} {names} and {counted(answers, 'answer')} to its prompts"]
    lines += [f"left for you: {path}" for path in told["left"]]
    for model in told["trained"]:
        serves = f", which {', '.join(model['aliases'])} serves" * bool(model["aliases"])
        remedy = "retrain without these rows" + ", or roll back" * bool(serves)
        lines.append(f"left: the model of run:{model['run']}{serves}: {remedy}")
    print_result(args.json, told, lines)


def purge_snapshots(
    store: Store, used: Mapping[str, list[Use]], holds: Holds | None, dry_run: bool
) -> int:
    """Delete snapshots, answers to their prompts, and those whose text `holds`; return how many.

    Findings of the last session, HTML reports and probes are deleted too: they can show rows.
    """
    state = store.state
    requests = [
        request_of(example)
        for digest, uses in used.items() if (path := store.find(digest))
        # A table is read by its columns, so its prompts depend on the mapping that a run has used.
        for columns in {use.columns for use in uses} or {()}
        for example in Dataset.parse(path.read_bytes(), columns=dict(columns))
    ]  # fmt: skip
    with closing(AnswerCache(state.path("answers.sqlite"))) as answers:
        removed = answers.delete_text(holds, dry_run=dry_run) if holds else 0
        if dry_run:
            return removed
        removed += answers.delete(requests)
    removed += delete_judge_answers(state)
    shutil.rmtree(state.probe.folder, ignore_errors=True)
    for path in (state.folder / LAST_FINDINGS_FILE, *state.folder.glob("*/*/report*.html")):
        path.unlink(missing_ok=True)
    for path in (path for d in used for path in (state.snapshot_path(d), store.file(d))):
        path.unlink(missing_ok=True)
    return removed


def holder_of(values: Collection[str]) -> Holds:
    """Return what tells whether bytes hold a value, escaped or not, in any case and spacing."""
    if min(map(len, values), default=0) < 5:
        raise ConfigError("--person: write one value a line, of 5 characters or more")
    parts = []
    for value in values:
        digits = re.sub(r"[\s./()+-]", "", value)
        words = r"\s+".join(map(re.escape, without_accents(value.casefold()).split()))
        parts.append(r"[\s./()-]*".join(digits) if digits.isdecimal() else words)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)")

    def holds(data: bytes) -> bool:
        if data.startswith(b"PAR1"):
            table = require("pyarrow.parquet", "parquet").read_table(io.BytesIO(data))
            data = repr(table.to_pylist()).encode()
        text = re.sub(r"\\[nrt]", " ", data.decode("utf-8", "replace"))
        text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
        return bool(pattern.search(without_accents(text.casefold())))

    return holds
