"""`tunegate purge DIGEST`: remove a dataset and what models answered to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import seen
from .answers import Answers, forget_judges
from .dataset import Example
from .predict import question
from .protocols import Plan
from .runs import Run
from .state import State


class NoSnapshot(Exception):
    """No snapshot begins with this digest, or more than one does."""


def purge(state: State, beginning: str) -> tuple[Path, int]:
    """Remove the one snapshot whose digest begins so, and every answer to its prompts.

    Returns the path that is gone and the number of answers. Runs, receipts and the registry keep
    the digest alone, which tells nobody what the data was. Raises NoSnapshot.
    """
    folder = state.folder / "snapshots"
    matches = sorted(folder.glob(f"{beginning}*.jsonl")) if beginning.isalnum() else []
    if len(matches) != 1:
        there = ", ".join(p.stem[:12] for p in sorted(folder.glob("*.jsonl"))) or "none"
        raise NoSnapshot(f"{beginning!r} fits {len(matches)} snapshots; kept are: {there}")
    answers = Answers(state.path("answers.sqlite"))
    removed = answers.forget([question(e).messages for e in _rows(state, matches[0].stem)])
    answers.close()
    removed += forget_judges(state)
    matches[0].unlink()
    (state.folder / seen.FILE).unlink(missing_ok=True)  # findings can show the text of a row
    for page in state.runs.glob("*/report.html"):  # as can a report, which is made anew in seconds
        page.unlink()
    return matches[0], removed


def _rows(state: State, digest: str) -> Iterator[Example]:
    """Yield the rows of a snapshot, by every mapping that a run has read it with."""
    plans = [Run(state, path.parent.name).plan for path in state.runs.glob("*/intent.json")]
    mappings = {tuple(p.columns.items()) for p in plans if digest in _digests(p)}
    for columns in sorted(mappings) or [()]:
        yield from state.snapshot(digest, columns=dict(columns))


def _digests(plan: Plan) -> set[str]:
    return {path.stem for path in (plan.train, plan.validation, plan.test) if path}
