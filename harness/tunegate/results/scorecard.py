"""The scorecard: everything one session of the model suite found out, in one digested file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..utils.hashing import sha256_json
from .labels import LabelRule, exact
from .prediction import Predictions
from .session_results import SessionResults


def passed_scores(results: SessionResults) -> list[dict[str, Any]]:
    """Return every score that passing tests judged, with the test that did, in test order."""
    return [
        {"test": nodeid, **outcome}
        for nodeid, outcomes in results.passed.items()
        for outcome in outcomes
        if "value" in outcome
    ]


def failed_outcomes(results: SessionResults) -> list[dict[str, Any]]:
    """Return every score of the tests that failed, and what else did not hold in them."""
    return [
        {"test": nodeid, **outcome}
        for nodeid, outcomes in results.failed.items()
        for outcome in outcomes
        if "value" in outcome or not outcome["held"]
    ]


def predictions_summary(predictions: Predictions, rule: LabelRule = exact) -> dict[str, Any]:
    """Return how many answers of a model were right, by the rule that labels are read by."""
    return {
        "model": predictions.model,
        "test": predictions.test,
        "n": len(predictions),
        "right": sum(map(rule.right, predictions)),
        "errors": len(predictions.errors),
    }


def scorecard_digest(card: Mapping[str, Any]) -> str:
    """Return the digest of a scorecard, the time it was made aside."""
    return sha256_json({k: v for k, v in card.items() if k != "made"})
