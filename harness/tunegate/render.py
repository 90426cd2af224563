"""From values to lines: what a failed judgement looks like at 80 columns. Pure functions."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .findings import Finding, Findings
from .score import Score, shown, shown_limit

WIDTH = 80
ROWS = 12
HINTS = 3  # of one check
ONE_ERROR = "answer could not be had; it counts"


def findings_title(findings: Findings, here: Path | None = None) -> str:
    """Return the heading of a table of findings; a path below `here` is told from there."""
    path = Path(findings.path)
    if here is not None and here in path.parents:
        path = path.relative_to(here)
    where = f", {path}" if findings.path not in ("", ".") else ""
    return f"{findings.name}: {len(findings):,} in {findings.split or 'the data'}{where}"


def findings_table(findings: Sequence[Finding], rows: int = ROWS) -> str:
    """Return a table of line, kind and evidence; `rows` 0 shows all of them, and in full."""
    top = findings[:rows] if rows else findings
    kinds = max([len("kind"), *(len(f.kind) for f in top)])
    lines = [f"{'line':>7}  {'kind':<{kinds}}  evidence"]
    for finding in top:
        line = f"{finding.line:,}" if finding.line is not None else "-"
        first, *rest = _fold(finding.evidence, WIDTH - 11 - kinds, most=2 if rows else None)
        lines.append(f"{line:>7}  {finding.kind:<{kinds}}  {first}")
        lines += [" " * (kinds + 11) + more for more in rest]
    if len(findings) > len(top):
        lines.append(f"{'':>9}{len(findings) - len(top):,} more; -v shows more, -vv all")
    return "\n".join(lines)


def _fold(text: str, width: int, most: int | None = None) -> list[str]:
    import textwrap

    one = " ".join(text.split())
    return textwrap.wrap(one, max(width, 30), max_lines=most, placeholder=" ...") or [""]


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


def summary(
    passed: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Iterator[tuple[str, list[str]]]:
    """Yield a heading and lines for what passing tests have to say: scores, then hints."""
    notes = [note for notes in passed.values() for note in notes]
    if scores := [note for note in notes if note.get("value") is not None]:
        yield "scores", scores_table(scores)
    hints: dict[str, list[str]] = {}
    for note in notes:
        hints.setdefault(_of(note), []).extend(note.get("hints", ()))
    if lines := [line for whose, told in hints.items() for line in _hints(whose, told)]:
        yield "hints", lines


def _hints(whose: str, told: Sequence[str]) -> list[str]:
    """Return the first few hints of a check: advice is read only while it is short."""
    different = list(dict.fromkeys(told))
    lines = [line for hint in different[:HINTS] for line in _hint(whose, hint)]
    more = len(different) - HINTS
    return [*lines, f"{whose}: {more:,} more like this"] if more > 0 else lines


def _of(note: Mapping[str, Any]) -> str:
    return f"{note['name']} of {note['split']}" if note["split"] else str(note["name"])


def _hint(whose: str, hint: str) -> list[str]:
    first, *rest = _fold(f"{whose}: {hint}", WIDTH - 2)
    return [first, *(f"  {line}" for line in rest)]


def comparison(score: Score, sign: str, limit: float) -> list[str]:
    """Return what pytest shows of `assert score >= limit` when it failed: at most seven lines."""
    share = score.hits is not None
    lines = [f"{score.name} {_beside(score, limit)} {sign} {shown_limit(limit, share)}"]
    if score.hits is not None:
        count = f"{score.hits:,} of {score.n:,}"
        lines.append(f"{count}{_interval(score)}{_wanted(score, sign, limit)}")
    elif score.n:
        lines.append(f"n = {score.n:,}{_interval(score)}")
    if score.errors:
        several = "answers could not be had; they count" if score.errors > 1 else ONE_ERROR
        lines.append(f"{score.errors:,} {several} as wrong here")
    if score.low <= limit <= score.high:
        lines.append(f"the limit lies inside the interval: n = {score.n:,} cannot tell them apart")
    if score.signature:
        lines.append(f"signature {score.signature}")
    return lines


def _beside(score: Score, limit: float) -> str:
    """Return the value with as many digits as it takes to tell it from the limit."""
    value, share = float(score), score.hits is not None
    if not share or f"{value:.1%}" != f"{limit:.1%}":
        return shown(value, share)
    return next(
        (f"{value:.{n}%}" for n in range(1, 9) if f"{value:.{n}%}" != f"{limit:.{n}%}"),
        shown(value, share),
    )


def _interval(score: Score) -> str:
    if math.isnan(score.low):
        return ""
    low, high = (shown(v, score.hits is not None) for v in (score.low, score.high))
    return f", 95 % interval {low} to {high}"


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
    known = note["low"] is not None
    interval = f"{shown(note['low'], share)} - {shown(note['high'], share)}" if known else ""
    limit = f"{note['sign']} {shown_limit(note['limit'], share)}"
    return note["name"], shown(note["value"], share), interval, limit, f"{note['n']:,}"


def scores_table(notes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a table of judged scores, one line each."""
    rows = [("score", "value", "95 % interval", "limit", "n"), *(score_line(n) for n in notes)]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return ["  ".join(_cell(row[i], widths[i], i) for i in range(5)).rstrip() for row in rows]


def _cell(text: str, width: int, column: int) -> str:
    return text.ljust(width) if column == 0 else text.rjust(width)


_HEAD = re.compile(r" +line  (kind +)evidence")


def paint(table: str) -> str:
    """Colour a table of findings for a terminal; any other text comes back as it was."""
    head, *rows = table.split("\n")
    match = _HEAD.fullmatch(head)
    if match is None:
        return table
    return "\n".join([f"\x1b[1m{head}\x1b[0m", *(_painted(row, match.end(1)) for row in rows)])


def _painted(row: str, evidence: int) -> str:
    line, kind, rest = row[:7], row[7:evidence], row[evidence:]
    if line.strip():
        return f"\x1b[36m{line}\x1b[0m\x1b[33m{kind}\x1b[0m{rest}"
    return row if not kind.strip() else f"\x1b[2m{row}\x1b[0m"
