"""Predictions made of (expected, got) pairs, for the tests of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunegate import Predictions
from tunegate.predictions import Prediction


def predicted(
    rows: Sequence[tuple[str, str]],
    errors: Sequence[int] = (),
    fields: Sequence[Mapping[str, Any]] = (),
    prompts: Sequence[str] = (),
) -> Predictions:
    """Return one prediction per pair; those whose places are in `errors` have no answer."""
    return Predictions(
        [
            Prediction(
                i,
                i + 1,
                prompts[i] if prompts else f"ticket {i}",
                want,
                "" if i in errors else got,
                "timeout" if i in errors else "",
                fields=fields[i] if fields else {},
            )
            for i, (want, got) in enumerate(rows)
        ]
    )
