"""Remove a snapshot, here and in the store, and the answers to it.

Receipts and the registry keep its digest, which reveals nothing of the data.

$ tunegate run purge 3fa9c1
"""

import argparse
import shutil
from pathlib import Path

from ..checking.accepted import LAST_FINDINGS_FILE
from ..models.predict import request_of
from ..storage.answer_cache import AnswerCache, delete_judge_answers
from ..storage.state_dir import Run, only_one
from ..storage.store import Store
from ..utils.text import counted
from .pack import open_store


def purge_snapshot(store: Store, digest_prefix: str) -> tuple[Path, int]:
    """Delete the one snapshot whose digest has this prefix, and all cached answers to its prompts.

    Findings, HTML reports and probes are deleted too: they can show rows. Returns the path and the
    number of answers. Raises ConfigError unless the prefix fits one, here or in the store.
    """
    state = store.state
    kept = {path.stem for path in state.folder.glob("snapshots/*.jsonl")}
    for files in store.runs().values():
        kept |= {d for p, d in files.items() if p.startswith("snap") and store.file(d).is_file()}
    snapshot = state.snapshot_path(only_one(digest_prefix, sorted(kept), "snapshot"))
    # A table is read by its columns, so its prompts depend on the mapping that a run has used.
    mappings = {
        tuple(plan.columns.items())
        for run in (Run(state, path.parent.name) for path in state.runs.glob("*/intent.json"))
        for plan in [run.plan]
        if snapshot.stem in {path.stem for path in (plan.train, plan.validation, plan.test) if path}
        or run.test_receipt_path(snapshot.stem).is_file()
    }
    requests = [
        request_of(example)
        for columns in (sorted(mappings) or [()]) * snapshot.is_file()
        for example in state.read_snapshot(snapshot.stem, columns=dict(columns))
    ]
    answers = AnswerCache(state.path("answers.sqlite"))
    removed = answers.delete(requests)
    answers.close()
    removed += delete_judge_answers(state)
    snapshot.unlink(missing_ok=True)
    store.file(snapshot.stem).unlink(missing_ok=True)
    shutil.rmtree(state.probe.folder, ignore_errors=True)
    (state.folder / LAST_FINDINGS_FILE).unlink(missing_ok=True)
    for page in state.folder.glob("*/*/report*.html"):
        page.unlink()
    return snapshot, removed


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("digest", metavar="DIGEST", help="the beginning of the dataset's sha256")
    parser.add_argument("--store", type=Path, metavar="DIR", help="default: that of [store]")


def run(args: argparse.Namespace) -> None:
    """Delete the data; print what is gone, and what was learned from it."""
    store = open_store(args.store)
    path, answers = purge_snapshot(store, args.digest)
    print(f"removed {path.name} and {counted(answers, 'answer')} to its prompts")
    runs = [Run(store.state, record.parent.name) for record in store.state.runs.glob("*/run.json")]
    if trained := [run.spec for run in runs if run.plan.train == path]:
        print("weights that were trained on it stay:", *sorted(trained))
