"""`tunegate purge DIGEST`: remove a dataset and what models answered to it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from ..checking import last_findings
from ..config.project import current_project
from ..data.dataset import Example
from ..errors import ConfigError
from ..interfaces.trainer import Plan
from ..models.predict import request_of
from ..storage.answer_cache import AnswerCache, delete_judge_answers
from ..storage.run import Run
from ..storage.state_dir import StateDir


class SnapshotNotFound(Exception):
    """No snapshot begins with this digest, or more than one does."""


def purge_snapshot(state: StateDir, digest_prefix: str) -> tuple[Path, int]:
    """Remove the one snapshot whose digest begins so, and every answer to its prompts.

    Returns the path that is gone and the number of answers. Runs, receipts and the registry keep
    the digest alone, which tells nobody what the data was. Raises NoSnapshot.
    """
    folder = state.folder / "snapshots"
    matches = sorted(folder.glob(f"{digest_prefix}*.jsonl")) if digest_prefix.isalnum() else []
    if len(matches) != 1:
        available = ", ".join(p.stem[:12] for p in sorted(folder.glob("*.jsonl"))) or "none"
        raise SnapshotNotFound(
            f"{digest_prefix!r} fits {len(matches)} snapshots; kept are: {available}"
        )
    answers = AnswerCache(state.path("answers.sqlite"))
    removed = answers.delete(
        [request_of(e).messages for e in _snapshot_examples(state, matches[0].stem)]
    )
    answers.close()
    removed += delete_judge_answers(state)
    matches[0].unlink()
    (state.folder / last_findings.LAST_FINDINGS_FILE).unlink(
        missing_ok=True
    )  # findings can show the text of a row
    for page in state.runs.glob("*/report.html"):  # as can a report, which is made anew in seconds
        page.unlink()
    return matches[0], removed


def _snapshot_examples(state: StateDir, digest: str) -> Iterator[Example]:
    """Yield the rows of a snapshot, by every mapping that a run has read it with."""
    plans = [Run(state, path.parent.name).plan for path in state.runs.glob("*/intent.json")]
    mappings = {tuple(p.columns.items()) for p in plans if digest in _plan_digests(p)}
    for columns in sorted(mappings) or [()]:
        yield from state.read_snapshot(digest, columns=dict(columns))


def _plan_digests(plan: Plan) -> set[str]:
    return {path.stem for path in (plan.train, plan.validation, plan.test) if path}


# [merged] Remove a snapshot, and the answers to its prompts.


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("digest", metavar="DIGEST", help="the beginning of the dataset's sha256")


def run(args: argparse.Namespace) -> None:
    """Remove the data and say what is gone."""

    from ..storage.state_dir import StateDir

    try:
        path, answers = purge_snapshot(StateDir(current_project()), args.digest)
    except SnapshotNotFound as error:
        raise ConfigError(str(error)) from None
    print(f"removed {path.name} and {answers:,} answers to its prompts")
