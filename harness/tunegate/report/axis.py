"""Axes: from values to places on a drawing, with ticks at round numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
