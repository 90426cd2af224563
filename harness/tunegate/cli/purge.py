"""Remove a snapshot, and the answers to its prompts.

Receipts and the registry keep its digest, which reveals nothing of the data.

$ tunegate run purge 3fa9c1
"""

import argparse
import shutil
from pathlib import Path

from ..checking.accepted import LAST_FINDINGS_FILE
from ..config.project import current_project
from ..errors import ConfigError
from ..models.predict import request_of
from ..storage.answer_cache import AnswerCache, delete_judge_answers
from ..storage.state_dir import Run, StateDir
from ..utils.text import counted


def purge_snapshot(state: StateDir, digest_prefix: str) -> tuple[Path, int]:
    """Delete the one snapshot whose digest has this prefix, and all cached answers to its prompts.

    Findings of the last session, HTML reports and probes are deleted too: they can show rows.
    Returns the path and the number of answers. Raises ConfigError unless the prefix fits one.
    """
    folder = state.folder / "snapshots"
    matches = sorted(folder.glob(f"{digest_prefix}*.jsonl")) if digest_prefix.isalnum() else []
    if len(matches) != 1:
        available = ", ".join(p.stem[:12] for p in sorted(folder.glob("*.jsonl"))) or "none"
        raise ConfigError(f"{digest_prefix!r} fits {len(matches)} snapshots; kept are: {available}")
    (snapshot,) = matches
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
        for columns in sorted(mappings) or [()]
        for example in state.read_snapshot(snapshot.stem, columns=dict(columns))
    ]
    answers = AnswerCache(state.path("answers.sqlite"))
    removed = answers.delete(requests)
    answers.close()
    removed += delete_judge_answers(state)
    snapshot.unlink()
    shutil.rmtree(state.probe.folder, ignore_errors=True)
    (state.folder / LAST_FINDINGS_FILE).unlink(missing_ok=True)
    for page in state.folder.glob("*/*/report*.html"):
        page.unlink()
    return snapshot, removed


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("digest", metavar="DIGEST", help="the beginning of the dataset's sha256")


def run(args: argparse.Namespace) -> None:
    """Delete the data and print what is gone."""
    path, answers = purge_snapshot(StateDir(current_project()), args.digest)
    print(f"removed {path.name} and {counted(answers, 'answer')} to its prompts")
