"""Measures the base model on the test set, once, so that a promotion can show what it improved."""

import json
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..interfaces.model import Model
from ..results.labels import LabelRule
from ..results.prediction import Predictions
from ..results.session_results import predictions_summary
from ..storage.seal import read_sealed, secret_key, write_sealed
from ..storage.state_dir import StateDir
from ..utils.hashing import sha256_json
from ..utils.masking import mask
from ..utils.progress import Progress
from .predict import predict

RECORD_KEYS = {"model", "digest", "test", "n", "right", "errors"}


def measure_baseline(
    model: Model, spec: str, test: Dataset, rule: LabelRule, state: StateDir, progress: Progress
) -> Predictions:
    """Put the test set to the base model, opened by `spec`, and record how many are right."""
    predictions = predict(model, test, state, progress)
    record = {**predictions_summary(predictions, rule), "model": mask(spec), "digest": model.digest}
    write_sealed(_record_path(state, spec, test.identity), record, secret_key(state))
    return predictions


def recall_baseline(
    state: StateDir, spec: str, test_identity: str, *, sealed: bool = False
) -> dict[str, Any] | None:
    """Return the record of this base model on this test set; None where it was not measured.

    It holds `model`, `digest`, `test`, `n`, `right` and `errors`. Older versions wrote it without a
    seal: with `sealed`, such a record is none. Raises SealBroken where it was changed.
    """
    path = _record_path(state, spec, test_identity)
    if not path.exists():
        return None
    try:
        record: Any = json.loads(path.read_bytes())
    except ValueError:
        record = None
    if not isinstance(record, dict) or "seal" in record:
        return read_sealed(path, secret_key(state), f"remove {path}: it is measured again")
    return record if record.keys() >= RECORD_KEYS and not sealed else None


def _record_path(state: StateDir, spec: str, test_identity: str) -> Path:
    return state.path("baselines", f"{sha256_json(spec)[:12]}-{test_identity[:12]}.json")
