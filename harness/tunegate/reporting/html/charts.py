"""The geometry of the two drawings: a score against its limit, and the curves of the loss."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...results.score import format_limit

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


# [merged] Axes: from values to places on a drawing, with ticks at round numbers.

LOG_DECADES = 2  # from here on a linear axis would show the largest values alone


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps low..high to start..end (units of the drawing), linearly or by the logarithm.

    `start` may lie beyond `end`: y grows downwards in SVG. The ends are the outermost ticks.
    """

    ticks: tuple[float, ...]
    start: float
    end: float
    log: bool = False

    @property
    def low(self) -> float:
        """The value at `start`."""
        return self.ticks[0]

    @property
    def high(self) -> float:
        """The value at `end`."""
        return self.ticks[-1]

    def position(self, value: float) -> float:
        """Return where a value stands; one outside of the axis stands at its end."""
        inside = min(max(value, self.low), self.high)
        share = (self._scale(inside) - self._scale(self.low)) / (
            self._scale(self.high) - self._scale(self.low)
        )
        return self.start + share * (self.end - self.start)

    def _scale(self, value: float) -> float:
        return math.log10(value) if self.log else value


def linear_axis(low: float, high: float, start: float, end: float, step_count: int = 4) -> Axis:
    """Return an axis that holds low..high, with roughly `step_count` steps between its ticks."""
    return Axis(tuple(round_ticks(low, high, step_count)), start, end)


def fitting_axis(low: float, high: float, start: float, end: float) -> Axis:
    """Return a logarithmic axis where positive values span decades, else a linear one."""
    if low > 0 and math.log10(high) - math.log10(low) >= LOG_DECADES:
        return Axis(tuple(decade_ticks(low, high)), start, end, log=True)
    return linear_axis(min(low, 0.0), high, start, end)


def round_ticks(low: float, high: float, step_count: int = 4) -> list[float]:
    """Return ascending multiples of 1, 2 or 5 times a power of ten; the outermost hold low..high.

    Raises ValueError unless both are finite and low <= high.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"no axis from {low} to {high}")
    size = max(abs(low), abs(high))
    size = size if size > 1e-100 else 1.0  # what is less is nothing
    if high - low <= 1e-9 * size:  # one value: room on both sides
        low, high = low - size / 10, high + size / 10
    digit, power = _round_step((high - low) / step_count)
    step = float(f"{digit}e{power}")
    first, last = math.floor(low / step), math.ceil(high / step)
    # Through the decimal text: 3 * 0.1 would be 0.30000000000000004.
    return [float(f"{k * digit}e{power}") for k in range(first, last + 1)]


def _round_step(min_step: float) -> tuple[int, int]:
    """Return the round number (digit, power of ten) that is not below the step wanted."""
    power = math.floor(math.log10(min_step))
    digit = next((d for d in (1, 2, 5) if float(f"{d}e{power}") >= min_step), None)
    return (digit, power) if digit else (1, power + 1)


def decade_ticks(low: float, high: float) -> list[float]:
    """Return the powers of ten that hold low..high, both positive, at most seven of them."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = math.ceil((last - first) / 6)
    return [float(f"1e{k}") for k in range(first, last + stride, stride)]
