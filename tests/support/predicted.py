"""Predictions made of (expected, got) pairs, for the tests of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from tunegate import Predictions
from tunegate.results.prediction import Prediction


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


RIGHT, WRONG = ("a", "a"), ("a", "b")


def models(gained: int, lost: int, alike: int):  # type: ignore[no-untyped-def]
    """Return candidate and other model, which differ on so many examples."""
    new = [RIGHT] * gained + [WRONG] * lost + [RIGHT] * alike
    old = [WRONG] * gained + [RIGHT] * lost + [RIGHT] * alike
    return predicted(new), predicted(old)


def valued(values: list[float]):  # type: ignore[no-untyped-def]
    return predicted([("1", f"{value:.6f}") for value in values])


LABELS = ["billing", "delivery", "returns"]
ANSWERS = [*LABELS, "no idea", ""]
pairs = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(ANSWERS)), min_size=1)
