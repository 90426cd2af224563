"""Checks that the chain from data to scores is whole before an alias points at a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..data.comparison import rows_in_training
from ..data.dataset import Dataset
from ..models.baseline import recall_baseline
from ..models.spec import Candidate
from ..storage.run import Run
from ..storage.seal import SealBroken
from ..storage.state_dir import StateDir
from .new_test_set import UnseenTestSet, facts_of_test_set


class PromotionRefused(Exception):
    """The chain from data to scores has a gap; the message says which."""


def check_promotable(
    candidate: Candidate, model_digest: str, test: Dataset, state: StateDir
) -> Run:
    """Return the run of a candidate that may be promoted.

    It may be promoted when a run with a sealed receipt made it, the model that was scored is the
    one that was trained, the baseline was measured on the same test set, no test example stands
    in the training or validation data, and a data gate of the run saw the test set.

    Args:
        candidate: The model of this session.
        model_digest: The digest of the model that answered the test set.
        test: The test set that the scores are about.
        state: The project's state tree.

    Raises:
        PromotionRefused: One of these does not hold.
    """
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
    is_old = "verdict" not in run.receipt  # then its baseline may be older than their seals
    try:
        baseline = recall_baseline(state, run.plan.base, test.identity, sealed=not is_old)
    except SealBroken as error:
        raise PromotionRefused(str(error)) from None
    if baseline is None:
        raise PromotionRefused(
            f"the baseline {run.plan.base} was never measured on this test set: "
            f"nobody could say what the training was good for"
        )
    for split in ("train", "validation"):
        if getattr(run.plan, split) is None:
            continue
        rows = run.data(split)
        matches = [
            f"{test[i].line} ({split} line {rows[indices[0]].line})"
            for i, indices in rows_in_training(test, rows).items()
        ]
        if matches:
            more = " ..." if len(matches) > 3 else ""
            raise PromotionRefused(
                f"{len(matches)} test examples stand in what the model was trained on: "
                f"test line {', '.join(matches[:3])}{more}"
            )
    try:
        facts_of_test_set(run, test, state)
    except (UnseenTestSet, SealBroken) as error:
        raise PromotionRefused(str(error)) from None
    return run


def promotion_facts(
    run: Run, candidate: Candidate, card: Mapping[str, Any], card_digest: str
) -> dict[str, Any]:
    """Return the chain as the registry's line records it: run, model, receipt, scorecard, test."""
    attestation = {"trained": run.attestation} if run.attestation else {}
    return {
        **attestation,
        "run": run.id,
        "model": candidate.spec,
        "model_digest": candidate.digest,
        "receipt": run.record["receipt"],  # check_promotable compared it with the receipt itself
        "scorecard": card_digest,
        "test": card["test"]["digest"],
    }
