"""What predictions would be if every missing answer were right: the best that errors could hide."""

from __future__ import annotations

from dataclasses import replace

from tunegate.predictions import Predictions


def with_errors_right(predictions: Predictions) -> Predictions:
    """Return the predictions as they would be if every missing answer were the expected one."""
    rows = [replace(p, got=p.expected, error="") if p.error else p for p in predictions]
    return Predictions(rows, model=predictions.model, test=predictions.test)
