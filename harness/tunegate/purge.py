"""`tunegate purge DIGEST`: remove a dataset and what models answered to it."""

from __future__ import annotations

from pathlib import Path

from .answers import Answers
from .predict import question
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
    dataset = state.snapshot(matches[0].stem)
    answers = Answers(state.path("answers.sqlite"))
    removed = answers.forget([question(example).messages for example in dataset])
    answers.close()
    matches[0].unlink()
    return matches[0], removed
