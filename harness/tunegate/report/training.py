"""How the run was trained: curves, figures, settings."""

from __future__ import annotations

from typing import Any

from ..recipe import on_pairs
from .charts import LossChart, loss_chart
from .gather import RunFiles
from .page import Training
from .words import public_name, public_setting, training_method, value_pairs

CHART_WIDTHS = (1040, 360)  # of the drawing: on a desk, on a phone
NO_CURVES = "No loss curves: the training left none."
TRAINED_ELSEWHERE = "No loss curves: it was trained elsewhere."
TEXT_FIGURES = ("word", "proved", "trained", "imported")  # figures that are sentences: told apart


def training_section(files: RunFiles) -> Training:
    """Return how the run was trained."""
    figures: dict[str, Any] = files.record["figures"]
    plan, run = files.run.plan, files.run
    settings = {k: public_setting(v, files.root, k) for k, v in sorted(plan.config.items())}
    numbers = {
        k: public_setting(v, files.root, k) for k, v in figures.items() if k not in TEXT_FIGURES
    }
    loss_charts = [
        loss_chart(run.curves, run.curves_after_kept, _kept_step(figures), w) for w in CHART_WIDTHS
    ]
    charts: tuple[LossChart, ...] | str = tuple(chart for chart in loss_charts if chart)
    if not charts:
        charts = TRAINED_ELSEWHERE if figures.get("word") else NO_CURVES
    intro = f"Trained by {training_method(plan)} on {public_name(str(plan.base), files.root)}, seed {plan.seed}."
    proved_text = f" Held against the export: {figures['proved']}." if figures.get("proved") else ""
    loss_unit = "pair" if on_pairs(plan.config) else "token"
    return Training(
        intro + proved_text,
        charts,
        loss_unit,
        _kept_epoch_text(figures),
        value_pairs(numbers),
        value_pairs(settings),
    )


def _kept_step(figures: dict[str, Any]) -> float | None:
    step = figures.get("kept_step")
    return float(step) if isinstance(step, int | float) else None


def _kept_epoch_text(figures: dict[str, Any]) -> str:
    if "kept_epoch" not in figures:
        return ""
    return f"kept: epoch {figures['kept_epoch']} of {figures.get('epochs', '?')}"
