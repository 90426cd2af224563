"""`tunegate report` on odd figures and odd files: a page that is true, or one line that says why."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.cli import main
from tunegate.ledger import recording
from tunegate.report.gather import Found, gather
from tunegate.report.page import ScoreRow, Scores
from tunegate.report.scores import scores
from tunegate.report.verdict import closed_by
from tunegate.score import Score, Unmeasurable

if TYPE_CHECKING:
    from conftest import Project

Out = pytest.CaptureFixture[str]
CARD: dict[str, Any] = {
    **{"model_digest": "feed", "gate": "1 failed: t::x", "made": "2026-01-02T03:04:05+00:00"},
    **{"test": {"digest": "beef" * 16, "n": 12}, "inventory": ["t::x"], "removed": []},
    **{"predictions": None, "baseline": None, "incumbent": None},
    **{"scores": [], "missed": [], "troubles": {"t::x": "failed"}},
}


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget afterwards what a report imported from the project."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "conftest", sys.modules["conftest"])


@pytest.fixture
def found(trained: Project) -> Found:
    """A run that was never judged."""
    return gather(trained.root, "latest")


def judged(found: Found, **changes: Any) -> Scores:
    """Return the scores of a card like CARD."""
    made = scores(replace(found, card=CARD | changes))
    assert isinstance(made, Scores)
    return made


def note(value: float, sign: str, limit: float | None, **facts: Any) -> dict[str, Any]:
    """Return what a real judgement leaves in a scorecard, read back from JSON."""
    score = Score(value, name="speed", **facts)
    with recording() as judgements:
        try:
            bool(score <= limit if sign == "<=" else score >= limit)  # type: ignore[operator]
        except Unmeasurable:
            pass
    plain: dict[str, Any] = json.loads(json.dumps({"test": "t::x", **judgements[0].plain()}))
    return plain


def row(found: Found, **changes: Any) -> ScoreRow:
    """Return the one row of a card."""
    made = judged(found, **changes)
    assert made.idle == ()
    (only,) = made.rows
    return only


@pytest.mark.parametrize("limit", [float("inf"), -float("inf"), 1e307])
def test_a_limit_without_an_end_is_told_and_not_drawn(found: Found, limit: float) -> None:
    kept = note(0.5, "<=", limit, low=0.4, high=0.6, n=9)
    shown = row(found, scores=[kept])
    assert shown.limit == f"<= {limit:g}"
    assert shown.bar is not None
    assert (shown.bar.limit, shown.bar.refused) == (None, None)
    assert row(found, scores=[note(0.5, "<=", limit)]).bar is None


@pytest.mark.parametrize(
    ("value", "sign", "outcome"),
    [("inf", "<=", "missed"), ("inf", ">=", "holds"), ("nan", ">=", "unmeasurable")],
)
def test_a_score_that_is_no_number_is_judged_all_the_same(
    found: Found, value: str, sign: str, outcome: str
) -> None:
    shown = row(found, missed=[note(float(value), sign, 2.0)])
    assert (shown.name, shown.limit) == (f"speed {value} {sign} 2", f"{sign} 2")
    assert (shown.value, shown.outcome, shown.bar) == ("not a number", outcome, None)


def test_no_limit_and_no_number_is_nothing_to_judge(found: Found) -> None:
    made = judged(found, scores=[note(float("nan"), ">=", None)])
    assert (made.rows, made.idle) == ((), ("speed",))


def test_a_score_that_is_no_number_is_why_the_gate_was_closed() -> None:
    card = CARD | {"missed": [note(float("inf"), "<=", 2.0), note(0.5, ">=", 0.9)]}
    told = "speed inf <= 2 did not hold; speed is 0.5000, the limit >= 0.9"
    assert closed_by(card) == told
