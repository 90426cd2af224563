"""The scorecard: everything one session of the model suite found out, in one digested file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .extraction import Rule, exact
from .predictions import Predictions
from .sealed import digest_of
from .tally import Tally


def scores(tally: Tally) -> list[dict[str, Any]]:
    """Return every score that passing tests judged, with the test that did, in test order."""
    return [
        {"test": nodeid, **judgement}
        for nodeid, judgements in tally.passed.items()
        for judgement in judgements
        if "value" in judgement
    ]


def missed(tally: Tally) -> list[dict[str, Any]]:
    """Return every score of the tests that failed, and what else did not hold in them."""
    return [
        {"test": nodeid, **judgement}
        for nodeid, judgements in tally.failed.items()
        for judgement in judgements
        if "value" in judgement or not judgement["held"]
    ]


def summary(predictions: Predictions, rule: Rule = exact) -> dict[str, Any]:
    """Return how many answers of a model were right, by the rule that labels are read by."""
    return {
        "model": predictions.model,
        "test": predictions.test,
        "n": len(predictions),
        "right": sum(map(rule.right, predictions)),
        "errors": len(predictions.errors),
    }


def digest(card: Mapping[str, Any]) -> str:
    """Return the digest of a scorecard, the time it was made aside."""
    return digest_of({k: v for k, v in card.items() if k != "made"})
