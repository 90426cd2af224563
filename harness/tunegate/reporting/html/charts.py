"""Computes the geometry of the two charts: a score beside its limit, and the loss curves."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ...results.score import format_limit

MAX_DRAWN = 1e300  # larger values are not drawn: the difference of two could overflow a float
MAX_POINTS = 400  # of one curve: a screen shows no more

Point = tuple[float, float]
Reading = Mapping[str, float]


def drawn_values(outcome: Mapping[str, Any]) -> list[float]:
    """Return value, ends of the interval and limit of a score; [] where they make no bar."""
    values = [outcome[k] for k in ("value", "low", "high", "limit") if _is_drawable(outcome[k])]
    return values if len(values) > 1 and _is_drawable(outcome["value"]) else []


def axis_ends(outcomes: Iterable[Mapping[str, Any]], is_share: bool) -> tuple[float, float]:
    """Return the ends of the axis on which these scores of one unit are drawn."""
    drawn = [value for outcome in outcomes for value in drawn_values(outcome)]
    low, high = min(drawn, default=0.0), max(drawn, default=1.0)
    margin = (high - low) / 10
    low, high = low - margin, high + margin
    return (max(low, 0.0), min(high, 1.0)) if is_share else (low, high)


def score_bar(
    outcome: Mapping[str, Any], description: str, ends: tuple[float, float]
) -> SimpleNamespace | None:
    """Return the bar of a judged score on an axis that holds `ends`; None where there is none.

    The box is of 200 by 34 units; on the side `refused` the limit does not hold.
    """
    if not drawn_values(outcome):
        return None
    axis = linear_axis(*ends, 6, 194, step_count=6)
    value, low, high, limit = (
        axis.position(outcome[key]) if _is_drawable(outcome[key]) else None
        for key in ("value", "low", "high", "limit")
    )
    failing = None
    if limit is not None:
        failing = (axis.start, limit) if outcome["sign"] in (">=", ">") else (limit, axis.end)
    return SimpleNamespace(
        value=value, interval=None if None in (low, high) else (low, high), limit=limit,
        refused=failing, ticks=tuple(map(axis.position, axis.ticks)), description=description,
        ends=tuple(format_limit(axis.ticks[n], outcome["hits"] is not None) for n in (0, -1)),
    )  # fmt: skip


CURVE_NAMES = {"train_loss": "training loss", "validation_loss": "validation loss"}


def loss_chart(
    readings: Iterable[Reading], readings_after: Iterable[Reading], kept_step: float | None,
    width: int,
) -> SimpleNamespace | None:  # fmt: skip
    """Return the chart of the losses, `readings_after` as curves of their own, None for none."""
    lines: list[tuple[str, list[Point], bool]] = []
    for key in CURVE_NAMES:
        parts = []
        for part in (readings, readings_after):
            values = ((r.get("step"), r.get(key)) for r in part if isinstance(r, dict))
            drawable = [(s, v) for s, v in values if _is_drawable(s) and _is_drawable(v)]
            parts.append(thin_out(drawable))  # type: ignore[arg-type]
        before, after = parts
        lines += [(key, before, False)] if before else []
        lines += [(key, [*before[-1:], *after], True)] if after else []
    points = [point for _, line_points, _ in lines for point in line_points]
    if len(points) < 2:
        return None
    steps, losses = zip(*points, strict=True)
    left, top, right, bottom = box = (52.0, 12.0, width - 14.0, 258.0)
    x = linear_axis(min(0.0, *steps), max(steps), left, right)
    y = linear_axis(min(0.0, *losses), max(losses), bottom, top)
    curves, descriptions = [], []
    for key, line_points, is_after in lines:
        drawn = tuple((x.position(step), y.position(loss)) for step, loss in line_points)
        name = CURVE_NAMES[key]
        curves.append(SimpleNamespace(name=name, kind=key, points=drawn, after_kept=is_after))
        if not is_after:
            (_, first), (step, last) = line_points[0], line_points[-1]
            descriptions.append(f"{name} from {first:.3g} to {last:.3g} at step {step:,.0f}")
    return SimpleNamespace(
        width=width, height=300, box=box, lines=tuple(curves),
        x=tuple((x.position(tick), f"{tick:,g}") for tick in x.ticks),
        y=tuple((y.position(tick), f"{tick:g}") for tick in y.ticks),
        kept_x=None if kept_step is None else x.position(kept_step),
        description=f"{'; '.join(descriptions)}.",
    )  # fmt: skip


def _is_drawable(value: object) -> bool:
    """Return whether a value is a number up to MAX_DRAWN; an int may be too large for a float."""
    return isinstance(value, int | float) and abs(value) <= MAX_DRAWN


def thin_out(points: Sequence[Point]) -> list[Point]:
    """Return at most MAX_POINTS points, each the mean of a chunk of consecutive ones."""
    size = math.ceil(len(points) / MAX_POINTS) or 1
    chunks = [points[i : i + size] for i in range(0, len(points), size)]
    return [(sum(s for s, _ in p) / len(p), sum(v for _, v in p) / len(p)) for p in chunks]


# Axes: from values to positions in a drawing, with ticks at round numbers.


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps low..high, the outermost ticks, to start..end of a drawing; its y grows downwards."""

    ticks: tuple[float, ...]
    start: float
    end: float

    def position(self, value: float) -> float:
        """Return the position of a value; one outside of the axis has that of its end."""
        low, high = self.ticks[0], self.ticks[-1]
        value = min(max(value, low), high)
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def linear_axis(low: float, high: float, start: float, end: float, step_count: int = 4) -> Axis:
    """Return an axis that holds low..high, with roughly `step_count` steps between its ticks."""
    return Axis(tuple(round_ticks(low, high, step_count)), start, end)


def round_ticks(low: float, high: float, step_count: int = 4) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten that hold low..high; raises ValueError."""
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"no axis from {low} to {high}")
    size = max(abs(low), abs(high))
    size = size if size > 1e-100 else 1.0  # smaller values count as 0
    if high - low <= 1e-9 * size:  # a single value gets room on both sides
        low, high = low - size / 10, high + size / 10
    # The smallest round number (1, 2 or 5 times a power of ten) that is not below the step needed.
    needed = (high - low) / step_count
    power = math.floor(math.log10(needed))
    digit = next((d for d in (1, 2, 5) if float(f"{d}e{power}") >= needed), 10)
    step = float(f"{digit}e{power}")
    first, last = math.floor(low / step), math.ceil(high / step)
    # By way of decimal text: 3 * 0.1 is 0.30000000000000004.
    return [float(f"{k * digit}e{power}") for k in range(first, last + 1)]
