"""The parts of a scorecard: the scores of one session of the model suite, and its digest."""

from collections.abc import Mapping
from typing import Any

from ..utils.hashing import sha256_json
from ..utils.masking import mask
from .labels import LabelRule
from .prediction import Predictions
from .session_results import SessionResults


def passed_scores(results: SessionResults) -> list[dict[str, Any]]:
    """Return each score that a passed test held to a limit, with the test, in test order."""
    return [o for o in with_tests(results.passed) if "value" in o]


def failed_outcomes(results: SessionResults) -> list[dict[str, Any]]:
    """Return each score of the failed tests, and each of their other outcomes that failed."""
    return [o for o in with_tests(results.failed) if "value" in o or not o["held"]]


def with_tests(tests: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the outcomes of tests, each with the node id of its test."""
    return [{"test": nodeid, **o} for nodeid, outcomes in tests.items() for o in outcomes]


def predictions_summary(predictions: Predictions, rule: LabelRule) -> dict[str, Any]:
    """Return how many answers of a model were right by a label rule, as builtins."""
    counts = {"n": len(predictions), "right": sum(map(rule.right, predictions))}
    about = {"model": mask(predictions.model), "test": predictions.test}
    return {**about, **counts, "errors": len(predictions.errors)}


def asked_in_words(card: Mapping[str, Any]) -> str:
    """Say which test rows a scorecard is about, and how often they were asked; "" for all, once."""
    words = []
    if limit := card.get("limit"):
        rows = f"{limit['rows']:,} of {limit['of']:,} test rows"
        words.append(f"{rows}, drawn at random (--limit): never promotable")
    if stop := card.get("stopped"):
        rows = f"{stop['rows']:,} of {stop['of']:,} test rows, {stop['of'] - stop['rows']:,} not"
        order = f"stopped early, order {stop['seed']}, look {stop['looks']}"
        words += [f"{rows} asked ({order}): never promotable", *stop["why"]]
    if repeat := card.get("repeat"):
        at = repeat["temperature"]
        temperature = "its own temperature" if at is None else f"temperature {at}"
        noise = ", which only shows the server's noise" if at == 0 else ""
        words.append(f"each row asked {repeat['times']} times at {temperature}{noise}")
    return "; ".join(words)


def scorecard_digest(card: Mapping[str, Any]) -> str:
    """Return the digest of a scorecard without the time when it was made."""
    return sha256_json({k: v for k, v in card.items() if k != "made"})
