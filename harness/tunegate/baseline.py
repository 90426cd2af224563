"""The baseline: what the base model scores on the test set, measured before the first training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .budget import Budget, within
from .config import load
from .dataset import Dataset
from .extensions import Opener
from .extraction import rule
from .files import write_whole
from .models import open_model
from .predict import Progress, predict
from .predictions import Predictions
from .scorecard import summary
from .state import State


def measure(
    spec: str,
    test: Dataset,
    state: State,
    openers: dict[str, Opener],
    progress: Progress,
    budget: Budget | None = None,
) -> Predictions:
    """Put the test set to the base model, with the same system prompt, and remember the outcome.

    Raises ModelUnknown. What is already in the cache is not asked again.
    """
    model = within(budget or Budget(), open_model(spec, state.root, openers))
    predictions = predict(model, test, state, progress)
    counts = summary(predictions, rule(load(state.root).label))
    record = {**counts, "model": spec, "digest": model.digest}
    write_whole(_path(state, spec, test.identity), json.dumps(record).encode() + b"\n", mode=0o600)
    return predictions


def remembered(state: State, spec: str, test_identity: str) -> dict[str, Any] | None:
    """Return what was measured of this base on this test set, or None."""
    path = _path(state, spec, test_identity)
    if not path.exists():
        return None
    record: dict[str, Any] = json.loads(path.read_bytes())
    return record


def _path(state: State, spec: str, test_identity: str) -> Path:
    from .sealed import digest_of

    return state.path("baselines", f"{digest_of(spec)[:12]}-{test_identity[:12]}.json")
