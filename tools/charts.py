"""Writes the drawings of docs/concepts.md: docs/pictures/chain.svg and passes.svg.

python tools/charts.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb
from pathlib import Path

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
LIMIT = 0.95
STYLE = """\
<style>
  rect.page { fill: #ffffff } text { fill: #24292f; font: 14px system-ui, sans-serif }
  .box { fill: #eef2f7; stroke: #57606a } .line { stroke: #57606a; fill: none }
  .grid { stroke: #d0d7de; fill: none } .a { stroke: #0b62c4 } .b { stroke: #b3480f }
  .a, .b { fill: none; stroke-width: 2 } .few { stroke-dasharray: 6 4 } .small { font-size: 12px }
  @media (prefers-color-scheme: dark) {
    rect.page { fill: #16181d } text { fill: #e6e9ee } .box { fill: #242a33; stroke: #8b949e }
    .line { stroke: #8b949e } .grid { stroke: #3a414b }
    .a { stroke: #6cb1ff } .b { stroke: #ffa263 }
  }
</style>
"""


def svg(width: int, height: int, parts: Sequence[str]) -> str:
    """Return a drawing on a page of its own colour, so that it can be read on any site."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
    page = f'<rect class="page" width="{width}" height="{height}" rx="8"/>'
    return "\n".join([head, STYLE + page, *parts, "</svg>\n"])


def chain() -> str:
    """Return the way from a data file to the registry."""
    boxes = [
        ("data files", "digest of the bytes"),
        ("data gate", "receipt, snapshot"),
        ("training", "run, model"),
        ("model gate", "scorecard"),
        ("registry.jsonl", "one line more"),
    ]
    parts = []
    for i, (name, leaves) in enumerate(boxes):
        x = 16 + 172 * i
        parts.append(f'<rect class="box" x="{x}" y="24" width="140" height="64" rx="6"/>')
        parts.append(f'<text x="{x + 70}" y="51" text-anchor="middle">{name}</text>')
        small = f'class="small" x="{x + 70}" y="73" text-anchor="middle"'
        parts.append(f"<text {small}>{leaves}</text>")
        if i:
            parts.append(f'<path class="line" d="M{x - 28} 56h22m-7 -5l7 5l-7 5"/>')
    return svg(860, 112, parts)


def share_of_passes(accuracy: float, n: int, errors: int) -> float:
    """Return how often n rows hold at most so many errors, at this true accuracy."""
    wrong = 1 - accuracy
    return sum(comb(n, k) * wrong**k * accuracy ** (n - k) for k in range(errors + 1))


def allowed_errors(n: int, lower: bool) -> int:
    """Return how many errors the limit allows; -1 where even none is too few rows."""
    if not lower:
        return int(n * (1 - LIMIT) + 1e-9)
    passing = [k for k in range(n) if share_of_passes(LIMIT, n, k) <= 0.05]
    return max(passing, default=-1)


def passes() -> str:
    """Return the chart of how often a model passes, by its true accuracy."""
    left, top, width, height = 64, 24, 640, 280
    low, high = 0.88, 1.0

    def place(accuracy: float, share: float) -> tuple[float, float]:
        x = left + (accuracy - low) / (high - low) * width
        return round(x, 1), round(top + (1 - share) * height, 1)

    def grid() -> Iterator[str]:
        for tenth in range(0, 11, 2):
            x, y = place(low, tenth / 10)
            yield f'<path class="grid" d="M{x} {y}h{width}"/>'
            label = f'class="small" x="{x - 8}" y="{y + 4}" text-anchor="end"'
            yield f"<text {label}>{tenth * 10} %</text>"
        for percent in range(88, 101, 2):
            x, y = place(percent / 100, 0)
            label = f'class="small" x="{x}" y="{y + 20}" text-anchor="middle"'
            yield f"<text {label}>{percent} %</text>"
        x, y = place(LIMIT, 1)
        yield f'<path class="line" d="M{x} {y}v{height}"/>'
        yield f'<text class="small" x="{x - 6}" y="{y + 12}" text-anchor="end">the limit</text>'
        x, y = place((low + high) / 2, 0)
        yield f'<text class="small" x="{x}" y="{y + 44}" text-anchor="middle">true accuracy</text>'

    parts = list(grid())
    for n, dashes in ((100, " few"), (480, "")):
        for lower, kind in ((False, "a"), (True, "b")):
            errors = allowed_errors(n, lower)
            accuracies = [low + (high - low) * i / 120 for i in range(121)]
            points = [place(a, share_of_passes(a, n, errors)) for a in accuracies]
            path = " ".join(f"{x},{y}" for x, y in points)
            parts.append(f'<polyline class="{kind}{dashes}" points="{path}"/>')
    words = [("a", "", "point, 480 rows"), ("a", " few", "point, 100 rows"),
             ("b", "", "lower, 480 rows"), ("b", " few", "lower, 100 rows")]  # fmt: skip
    for i, (kind, dashes, text) in enumerate(words):
        y = top + 44 + 22 * i
        parts.append(f'<path class="{kind}{dashes}" d="M84 {y}h34"/>')
        parts.append(f'<text class="small" x="126" y="{y + 4}">{text}</text>')
    return svg(728, 364, parts)


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "chain.svg").write_text(chain(), "utf-8")
    (PICTURES / "passes.svg").write_text(passes(), "utf-8")
