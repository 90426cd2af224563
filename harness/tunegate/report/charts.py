"""The geometry of the two drawings: a score against its limit, and the curves of the loss."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..score import shown_limit
from .axis import Axis, linear, spread

MAX = 1e300  # of what is drawn, so that the difference of two values is a number still
MOST = 400  # points of one curve: more cannot be told apart

Point = tuple[float, float]
Reading = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """A score's 95 % interval on an axis of its own, in a box of 200 by 34 units.

    `refused` is the stretch on which the limit would not hold.
    """

    value: float
    interval: Point | None
    limit: float | None
    refused: Point | None
    ticks: tuple[float, ...]
    ends: tuple[str, str]  # what stands at the first tick, and at the last
    told: str


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: what it is, and its points."""

    name: str
    kind: str
    points: tuple[Point, ...]
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """The curves in their box; `kept` is where the weights that were kept stand."""

    width: float
    height: float
    box: tuple[float, float, float, float]  # left, top, right, bottom
    x: tuple[tuple[float, str], ...]
    y: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]
    kept: float | None
    log: bool
    told: str


def bar(note: Mapping[str, Any], told: str, *, whole: bool = False) -> Bar | None:
    """Draw a judged score; None where there is neither an interval nor a limit to draw it by.

    A limit that is not finite cannot be drawn, nor can a value.

    The axis holds what is drawn and little more; `whole`: all shares from 0 to 100 %.
    """
    value, limit, share = note["value"], note["limit"], note["hits"] is not None
    limit = limit if _finite(limit) else None
    ends = [v for v in (note["low"], note["high"]) if v is not None]
    shown = [v for v in (*ends, limit) if v is not None]
    if not (_finite(value) and shown and all(map(_finite, shown))):
        return None
    axis = linear(0, 1, 6, 194) if whole else _around([value, *shown], share)
    named = shown_limit(axis.low, share), shown_limit(axis.high, share)
    places = tuple(map(axis.place, axis.ticks))
    at = None if limit is None else axis.place(limit)
    interval = (axis.place(ends[0]), axis.place(ends[1])) if len(ends) == 2 else None
    refused = _refused(note["sign"], at, axis)
    return Bar(axis.place(value), interval, at, refused, places, named, told)


def _around(values: Sequence[float], share: bool) -> Axis:
    low, high = min(values), max(values)
    room = (high - low) / 10
    low, high = low - room, high + room
    if share:
        low, high = max(low, 0.0), min(high, 1.0)
    return linear(low, high, 6, 194, about=6)


def _refused(sign: str, at: float | None, axis: Axis) -> Point | None:
    if at is None:
        return None
    return (axis.start, at) if sign in (">=", ">") else (at, axis.end)


NAMES = {"train_loss": "training loss", "validation_loss": "validation loss"}


def curves(
    readings: Iterable[Reading], beyond: Iterable[Reading], kept: float | None, width: int
) -> Chart | None:
    """Draw the losses over the steps; None where there are not two readings of any of them."""
    series = [s for key in NAMES for s in _series(key, readings, beyond)]
    known = [p for _, _, points in series for p in points]
    if len(known) < 2:
        return None
    box = (52.0, 12.0, width - 14.0, 258.0)
    x = linear(min(0.0, *(s for s, _ in known)), max(s for s, _ in known), box[0], box[2])
    y = spread(min(v for _, v in known), max(v for _, v in known), box[3], box[1])
    lines = tuple(
        Line(NAMES[key], key, tuple((x.place(s), y.place(v)) for s, v in points), apart)
        for key, apart, points in series
    )
    at = None if kept is None else x.place(kept)
    scale = "logarithmic" if y.log else "linear"
    told = "; ".join(_told(key, points) for key, apart, points in series if not apart)
    marks = tuple((x.place(t), f"{t:,g}") for t in x.ticks)
    return Chart(
        width, 300, box, marks, tuple((y.place(t), f"{t:g}") for t in y.ticks), lines, at, y.log,
        f"{told}. The axis of the loss is {scale}.",
    )  # fmt: skip


def _series(
    key: str, readings: Iterable[Reading], beyond: Iterable[Reading]
) -> Iterator[tuple[str, bool, list[Point]]]:
    """Yield the curve up to what was kept, then what came after, from where the first one ends."""
    before, after = (thinned(_points(found, key)) for found in (readings, beyond))
    if before:
        yield key, False, before
    if after:
        yield key, True, [*before[-1:], *after]


def _points(readings: Iterable[Reading], key: str) -> list[Point]:
    found = ((r.get("step"), r.get(key)) for r in readings if isinstance(r, dict))
    return [(s, v) for s, v in found if _finite(s) and _finite(v)]  # type: ignore[misc]


def _finite(value: object) -> bool:
    """Whether a value can be drawn: beyond MAX it cannot, and an int may be no float at all."""
    return isinstance(value, int | float) and abs(value) <= MAX


def thinned(points: Sequence[Point], most: int = MOST) -> list[Point]:
    """Return at most `most` points: each the mean of as many that follow one another."""
    size = math.ceil(len(points) / most) or 1
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [(sum(s for s, _ in p) / len(p), sum(v for _, v in p) / len(p)) for p in parts]


def _told(key: str, points: Sequence[Point]) -> str:
    (_, first), (step, last) = points[0], points[-1]
    return f"{NAMES[key]} from {first:.3g} to {last:.3g} at step {step:,.0f}"
