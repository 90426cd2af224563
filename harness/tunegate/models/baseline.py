"""The baseline: what the base model scores on the test set, measured before the first training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..config.schema import load
from ..data.dataset import Dataset
from ..interfaces.installed import ModelOpener
from ..interfaces.model import Budget, hold_to_budget
from ..results.labels import label_rule
from ..results.prediction import Predictions
from ..results.scorecard import predictions_summary
from ..storage.state_dir import StateDir
from ..utils.atomic import atomic_write
from ..utils.progress import Progress
from .predict import predict
from .spec import open_model


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
    from ..utils.hashing import sha256_json

    return state.path("baselines", f"{sha256_json(spec)[:12]}-{test_identity[:12]}.json")
