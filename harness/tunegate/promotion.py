"""Promotion: an alias points at a model only when the chain from data to scores is whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import baseline
from .dataset import Dataset
from .models import Candidate
from .prompts import standing
from .runs import Run
from .sealed import SealBroken
from .state import State


class Refused(Exception):
    """A promotion that would break the chain, and why."""


def vet(candidate: Candidate, model_digest: str, test: Dataset, state: State) -> Run:
    """Return the candidate's run if it may be promoted; raises Refused with the reason."""
    if candidate.run is None:
        raise Refused(
            f"{candidate.spec} belongs to no run with a receipt: it may be scored, never promoted"
        )
    run = candidate.run
    try:
        run.verify()
    except SealBroken as error:
        raise Refused(str(error)) from None
    if candidate.digest != model_digest:
        raise Refused(f"the model of run {run.id} is not the one that was trained: it was changed")
    if baseline.remembered(state, run.plan.base, test.identity) is None:
        raise Refused(
            f"the baseline {run.plan.base} was never measured on this test set: "
            f"nobody could say what the training was good for"
        )
    _unseen(test, run)
    return run


def _unseen(test: Dataset, run: Run) -> None:
    for split in ("train", "validation"):
        if getattr(run.plan, split) is None:
            continue
        seen = run.data(split)
        hits = [(test[i].line, seen[places[0]].line) for i, places in standing(test, seen).items()]
        if hits:
            lines = ", ".join(f"{line} ({split} line {other})" for line, other in hits[:3])
            more = " ..." if len(hits) > 3 else ""
            raise Refused(
                f"{len(hits)} test examples stand in what the model was trained on: "
                f"test line {lines}{more}"
            )


def facts(
    run: Run, candidate: Candidate, card: Mapping[str, Any], card_digest: str
) -> dict[str, Any]:
    """Return what the registry's line holds of the chain: data, receipt, run, model, scorecard."""
    word = {"trained": run.word} if run.word else {}
    return {
        **word,
        "run": run.id,
        "model": candidate.spec,
        "model_digest": candidate.digest,
        "receipt": run.record["receipt"],  # `vet` has held it against the receipt
        "scorecard": card_digest,
        "test": card["test"]["digest"],
    }
