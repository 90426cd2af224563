"""From values to lines: what a failed judgement looks like at 80 columns. Pure functions."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .findings import Finding, Findings
from .score import Score

WIDTH = 80
ROWS = 12


def findings_title(findings: Findings) -> str:
    """Return the heading of a table of findings."""
    where = f" in {findings.path}" if findings.path not in ("", ".") else ""
    return f"{findings.name}: {len(findings):,} of {findings.split or 'the data'}{where}"


def findings_table(findings: Sequence[Finding], rows: int = ROWS) -> str:
    """Return a table of line, kind and evidence; `rows` 0 shows all of them."""
    shown = findings[:rows] if rows else findings
    kinds = max((len(f.kind) for f in shown), default=0)
    kinds = max(kinds, len("kind"))
    lines = [f"{'line':>7}  {'kind':<{kinds}}  evidence"]
    for finding in shown:
        line = f"{finding.line:,}" if finding.line is not None else "-"
        evidence = _fold(finding.evidence, WIDTH - 11 - kinds)
        lines.append(f"{line:>7}  {finding.kind:<{kinds}}  {evidence[0]}")
        lines += [f"{'':>7}  {'':<{kinds}}  {rest}" for rest in evidence[1:]]
    if len(findings) > len(shown):
        lines.append(f"{'':>7}  {len(findings) - len(shown):,} more; -v shows more, -vv all")
    return "\n".join(lines)


def _fold(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(" ".join(text.split()), max(width, 30)) or [""]


_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt
}  # fmt: skip


def missed(score: Score, sign: str, limit: float) -> list[str] | None:
    """Return the explanation of a comparison that failed; None for one that held.

    pytest asks for comparisons that held too, where they stand inside an `and`.
    """
    if sign not in _SIGNS or _SIGNS[sign](float(score), limit):
        return None
    return comparison(score, sign, limit)


def summary(passed: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return what passing tests have to say all the same: scores, then hints."""
    notes = [note for notes in passed.values() for note in notes]
    scores = [note for note in notes if note.get("value") is not None]
    lines = ["", *scores_table(scores)] if scores else []
    hints = dict.fromkeys(
        (n["name"], n["split"], hint) for n in notes for hint in n.get("hints", ())
    )
    for name, split, hint in hints:
        lines.append(f"hint  {name}{f' of {split}' if split else ''}: {hint}")
    return lines


def comparison(score: Score, sign: str, limit: float) -> list[str]:
    """Return what pytest shows of `assert score >= limit` when it failed: at most seven lines."""
    value = percent(score) if score.hits is not None else f"{float(score):.4f}"
    wanted = f"{limit:.1%}" if score.hits is not None else f"{limit:g}"
    lines = [f"{score.name} {value} {sign} {wanted}"]
    if score.hits is not None:
        lines.append(
            f"{score.hits:,} of {score.n:,}{_interval(score)}{_wanted(score, sign, limit)}"
        )
    elif score.n:
        lines.append(f"n = {score.n:,}{_interval(score)}")
    if score.errors:
        lines.append(f"{score.errors:,} answers could not be had; they count as wrong here")
    if not math.isnan(score.low) and score.low <= limit <= score.high:
        lines.append(f"the limit lies inside the interval: n = {score.n:,} cannot tell them apart")
    if score.signature:
        lines.append(f"signature {score.signature}")
    return lines


def percent(value: float) -> str:
    """Return a share as per cent, never rounded up to 100 % or down to 0 %."""
    if 0 < value < 1:
        value = min(max(value, 0.001), 0.999)
    return f"{value:.1%}"


def _interval(score: Score) -> str:
    if math.isnan(score.low):
        return ""
    if score.hits is not None:
        return f", 95 % interval {percent(score.low)} to {percent(score.high)}"
    return f", 95 % interval {score.low:.4f} to {score.high:.4f}"


def _wanted(score: Score, sign: str, limit: float) -> str:
    """Say how many more (or fewer) would have held the limit."""
    hits, n = score.hits or 0, score.n
    if sign == ">=":
        # Exact in floats as the comparison itself is, so that the advice is never one short.
        more = next((k for k in range(n - hits + 1) if (hits + k) / n >= limit), None)
        return f"; {more:,} more must be right" if more else ""
    if sign == "<=":
        fewer = next((k for k in range(hits + 1) if (hits - k) / n <= limit), None)
        return f"; {fewer:,} too many" if fewer else ""
    return ""


def score_line(note: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of one judged score: name, value, interval, limit, n."""
    share = note["hits"] is not None
    value = percent(note["value"]) if share else f"{note['value']:.4f}"
    show = percent if share else "{:.4f}".format
    known = note["low"] is not None
    interval = f"{show(note['low'])} - {show(note['high'])}" if known else ""
    limit = f"{note['limit']:.1%}" if share else f"{note['limit']:g}"
    return note["name"], value, interval, f"{note['sign']} {limit}", f"{note['n']:,}"


def scores_table(notes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a table of judged scores, one line each."""
    rows = [("score", "value", "95 % interval", "limit", "n"), *(score_line(n) for n in notes)]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return ["  ".join(_cell(row[i], widths[i], i) for i in range(5)).rstrip() for row in rows]


def _cell(text: str, width: int, column: int) -> str:
    return text.ljust(width) if column == 0 else text.rjust(width)


_HEAD = re.compile(r"^( +line  kind +evidence)$", re.M)
_ROW = re.compile(r"^( *[\d,]+|      -)(  )(\S+)(  )", re.M)
_MORE = re.compile(r"^( +[\d,]+ more; .*)$", re.M)


def paint(table: str) -> str:
    """Colour a table of findings for a terminal: line numbers cyan, kinds yellow."""
    table = _HEAD.sub("\x1b[1m\\1\x1b[0m", table)
    table = _ROW.sub("\x1b[36m\\1\x1b[0m\\2\x1b[33m\\3\x1b[0m\\4", table)
    return _MORE.sub("\x1b[2m\\1\x1b[0m", table)
