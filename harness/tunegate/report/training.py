"""How the run was trained: curves, figures, settings."""

from __future__ import annotations

from typing import Any

from ..recipe import on_pairs
from .charts import Chart, curves
from .gather import Found
from .page import Training
from .words import manner, named, pairs, setting

WIDTHS = (1040, 360)  # of the drawing: on a desk, on a phone
NO_CURVES = "No loss curves: the training left none."
ELSEWHERE = "No loss curves: it was trained elsewhere."
WORDS = ("word", "proved", "trained", "imported")  # figures that are sentences: told apart


def training(found: Found) -> Training:
    """Return how the run was trained."""
    figures: dict[str, Any] = found.record["figures"]
    plan, run = found.run.plan, found.run
    settings = {k: setting(v, found.root, k) for k, v in sorted(plan.config.items())}
    numbers = {k: setting(v, found.root, k) for k, v in figures.items() if k not in WORDS}
    drawn = [curves(run.curves, run.curves_beyond, _kept(figures), w) for w in WIDTHS]
    charts: tuple[Chart, ...] | str = tuple(chart for chart in drawn if chart)
    if not charts:
        charts = ELSEWHERE if figures.get("word") else NO_CURVES
    about = f"Trained by {manner(plan)} on {named(str(plan.base), found.root)}, seed {plan.seed}."
    proved = f" Held against the export: {figures['proved']}." if figures.get("proved") else ""
    per = "pair" if on_pairs(plan.config) else "token"
    return Training(about + proved, charts, per, _told(figures), pairs(numbers), pairs(settings))


def _kept(figures: dict[str, Any]) -> float | None:
    step = figures.get("kept_step")
    return float(step) if isinstance(step, int | float) else None


def _told(figures: dict[str, Any]) -> str:
    if "kept_epoch" not in figures:
        return ""
    return f"kept: epoch {figures['kept_epoch']} of {figures.get('epochs', '?')}"
