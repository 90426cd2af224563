"""The geometry of the two drawings: a score against its limit, and the curves of the loss."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..score import format_limit
from .axis import Axis, fitting_axis, linear_axis

MAX_DRAWN = 1e300  # of what is drawn, so that the difference of two values is a number still
MAX_POINTS = 400  # points of one curve: more cannot be told apart

Point = tuple[float, float]
Reading = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ScoreBar:
    """A score's 95 % interval on an axis of its own, in a box of 200 by 34 units.

    `refused` is the stretch on which the limit would not hold.
    """

    value: float
    interval: Point | None
    limit: float | None
    refused: Point | None
    ticks: tuple[float, ...]
    ends: tuple[str, str]  # what stands at the first tick, and at the last
    description: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve: what it is, and its points."""

    name: str
    kind: str
    points: tuple[Point, ...]
    after_kept: bool = False


@dataclass(frozen=True, slots=True)
class LossChart:
    """The curves in their box; `kept` is where the weights that were kept stand."""

    width: float
    height: float
    box: tuple[float, float, float, float]  # left, top, right, bottom
    x: tuple[tuple[float, str], ...]
    y: tuple[tuple[float, str], ...]
    lines: tuple[Curve, ...]
    kept_x: float | None
    log: bool
    description: str


def score_bar(
    outcome: Mapping[str, Any], description: str, *, full_scale: bool = False
) -> ScoreBar | None:
    """Draw a judged score; None where there is neither an interval nor a limit to draw it by.

    A limit that is not finite cannot be drawn, nor can a value.

    The axis holds what is drawn and little more; `full_scale`: all shares from 0 to 100 %.
    """
    value, limit, is_share = outcome["value"], outcome["limit"], outcome["hits"] is not None
    limit = limit if _is_drawable(limit) else None
    ends = [v for v in (outcome["low"], outcome["high"]) if v is not None]
    shown = [v for v in (*ends, limit) if v is not None]
    if not (_is_drawable(value) and shown and all(map(_is_drawable, shown))):
        return None
    axis = linear_axis(0, 1, 6, 194) if full_scale else _fitted_axis([value, *shown], is_share)
    end_labels = format_limit(axis.low, is_share), format_limit(axis.high, is_share)
    tick_positions = tuple(map(axis.position, axis.ticks))
    limit_x = None if limit is None else axis.position(limit)
    interval = (axis.position(ends[0]), axis.position(ends[1])) if len(ends) == 2 else None
    refused = _failing_range(outcome["sign"], limit_x, axis)
    return ScoreBar(
        axis.position(value), interval, limit_x, refused, tick_positions, end_labels, description
    )


def _fitted_axis(values: Sequence[float], is_share: bool) -> Axis:
    low, high = min(values), max(values)
    margin = (high - low) / 10
    low, high = low - margin, high + margin
    if is_share:
        low, high = max(low, 0.0), min(high, 1.0)
    return linear_axis(low, high, 6, 194, step_count=6)


def _failing_range(sign: str, limit_x: float | None, axis: Axis) -> Point | None:
    if limit_x is None:
        return None
    return (axis.start, limit_x) if sign in (">=", ">") else (limit_x, axis.end)


CURVE_NAMES = {"train_loss": "training loss", "validation_loss": "validation loss"}


def loss_chart(
    readings: Iterable[Reading],
    readings_after: Iterable[Reading],
    kept_step: float | None,
    width: int,
) -> LossChart | None:
    """Draw the losses over the steps; None where there are not two readings of any of them."""
    series = [s for key in CURVE_NAMES for s in _curve_parts(key, readings, readings_after)]
    points = [p for _, _, curve_points in series for p in curve_points]
    if len(points) < 2:
        return None
    box = (52.0, 12.0, width - 14.0, 258.0)
    x = linear_axis(min(0.0, *(s for s, _ in points)), max(s for s, _ in points), box[0], box[2])
    y = fitting_axis(min(v for _, v in points), max(v for _, v in points), box[3], box[1])
    lines = tuple(
        Curve(
            CURVE_NAMES[key],
            key,
            tuple((x.position(s), y.position(v)) for s, v in curve_points),
            is_after_kept,
        )
        for key, is_after_kept, curve_points in series
    )
    kept_x = None if kept_step is None else x.position(kept_step)
    scale = "logarithmic" if y.log else "linear"
    description = "; ".join(
        _curve_description(key, curve_points)
        for key, is_after_kept, curve_points in series
        if not is_after_kept
    )
    marks = tuple((x.position(t), f"{t:,g}") for t in x.ticks)
    return LossChart(
        width, 300, box, marks, tuple((y.position(t), f"{t:g}") for t in y.ticks), lines, kept_x, y.log,
        f"{description}. The axis of the loss is {scale}.",
    )  # fmt: skip


def _curve_parts(
    key: str, readings: Iterable[Reading], readings_after: Iterable[Reading]
) -> Iterator[tuple[str, bool, list[Point]]]:
    """Yield the curve up to what was kept, then what came after, from where the first one ends."""
    before, after = (
        thin_out(_finite_points(series_readings, key))
        for series_readings in (readings, readings_after)
    )
    if before:
        yield key, False, before
    if after:
        yield key, True, [*before[-1:], *after]


def _finite_points(readings: Iterable[Reading], key: str) -> list[Point]:
    values = ((r.get("step"), r.get(key)) for r in readings if isinstance(r, dict))
    return [(s, v) for s, v in values if _is_drawable(s) and _is_drawable(v)]  # type: ignore[misc]


def _is_drawable(value: object) -> bool:
    """Whether a value can be drawn: beyond MAX it cannot, and an int may be no float at all."""
    return isinstance(value, int | float) and abs(value) <= MAX_DRAWN


def thin_out(points: Sequence[Point], max_points: int = MAX_POINTS) -> list[Point]:
    """Return at most `max_points` points: each the mean of as many that follow one another."""
    size = math.ceil(len(points) / max_points) or 1
    chunks = [points[i : i + size] for i in range(0, len(points), size)]
    return [(sum(s for s, _ in p) / len(p), sum(v for _, v in p) / len(p)) for p in chunks]


def _curve_description(key: str, points: Sequence[Point]) -> str:
    (_, first), (step, last) = points[0], points[-1]
    return f"{CURVE_NAMES[key]} from {first:.3g} to {last:.3g} at step {step:,.0f}"
