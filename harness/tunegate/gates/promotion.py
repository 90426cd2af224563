"""Promotion: an alias points at a model only when the chain from data to scores is whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..data.comparison import rows_in_training
from ..data.dataset import Dataset
from ..models import baseline
from ..models.spec import Candidate
from ..storage.run import Run
from ..storage.seal import SealBroken
from ..storage.state_dir import StateDir


class PromotionRefused(Exception):
    """A promotion that would break the chain, and why."""


def check_promotable(
    candidate: Candidate, model_digest: str, test: Dataset, state: StateDir
) -> Run:
    """Return the candidate's run if it may be promoted; raises Refused with the reason."""
    if candidate.run is None:
        raise PromotionRefused(
            f"{candidate.spec} belongs to no run with a receipt: it may be scored, never promoted"
        )
    run = candidate.run
    try:
        run.verify()
    except SealBroken as error:
        raise PromotionRefused(str(error)) from None
    if candidate.digest != model_digest:
        raise PromotionRefused(
            f"the model of run {run.id} is not the one that was trained: it was changed"
        )
    if baseline.recall_baseline(state, run.plan.base, test.identity) is None:
        raise PromotionRefused(
            f"the baseline {run.plan.base} was never measured on this test set: "
            f"nobody could say what the training was good for"
        )
    _refuse_seen_examples(test, run)
    return run


def _refuse_seen_examples(test: Dataset, run: Run) -> None:
    for split in ("train", "validation"):
        if getattr(run.plan, split) is None:
            continue
        train_lines = run.data(split)
        matches = [
            (test[i].line, train_lines[places[0]].line)
            for i, places in rows_in_training(test, train_lines).items()
        ]
        if matches:
            lines = ", ".join(f"{line} ({split} line {other})" for line, other in matches[:3])
            more = " ..." if len(matches) > 3 else ""
            raise PromotionRefused(
                f"{len(matches)} test examples stand in what the model was trained on: "
                f"test line {lines}{more}"
            )


def promotion_facts(
    run: Run, candidate: Candidate, card: Mapping[str, Any], card_digest: str
) -> dict[str, Any]:
    """Return what the registry's line holds of the chain: data, receipt, run, model, scorecard."""
    attestation = {"trained": run.attestation} if run.attestation else {}
    return {
        **attestation,
        "run": run.id,
        "model": candidate.spec,
        "model_digest": candidate.digest,
        "receipt": run.record["receipt"],  # `check_promotable` has held it against the receipt
        "scorecard": card_digest,
        "test": card["test"]["digest"],
    }
