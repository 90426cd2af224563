"""The baseline: what the base model scores on the test set, measured before the first training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .budget import Budget, hold_to_budget
from .config import load
from .dataset import Dataset
from .extensions import ModelOpener
from .extraction import label_rule
from .files import atomic_write
from .models import open_model
from .predict import Progress, predict
from .predictions import Predictions
from .scorecard import predictions_summary
from .state import StateDir


def measure_baseline(
    spec: str,
    test: Dataset,
    state: StateDir,
    openers: dict[str, ModelOpener],
    progress: Progress,
    budget: Budget | None = None,
) -> Predictions:
    """Put the test set to the base model, with the same system prompt, and remember the outcome.

    Raises ModelUnknown. What is already in the cache is not asked again.
    """
    model = hold_to_budget(budget or Budget(), open_model(spec, state.root, openers))
    predictions = predict(model, test, state, progress)
    counts = predictions_summary(predictions, label_rule(load(state.root).label))
    record = {**counts, "model": spec, "digest": model.digest}
    atomic_write(
        _record_path(state, spec, test.identity), json.dumps(record).encode() + b"\n", mode=0o600
    )
    return predictions


def recall_baseline(state: StateDir, spec: str, test_identity: str) -> dict[str, Any] | None:
    """Return what was measured of this base on this test set, or None."""
    path = _record_path(state, spec, test_identity)
    if not path.exists():
        return None
    record: dict[str, Any] = json.loads(path.read_bytes())
    return record


def _record_path(state: StateDir, spec: str, test_identity: str) -> Path:
    from .sealed import sha256_json

    return state.path("baselines", f"{sha256_json(spec)[:12]}-{test_identity[:12]}.json")
