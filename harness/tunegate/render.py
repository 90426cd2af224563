"""From values to lines: what a failed judgement looks like at 80 columns. Pure functions."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .findings import Finding, Findings
from .identity import LENGTH
from .score import Score, clopper_pearson, shown, shown_limit

WIDTH = 80
ROWS = 12
HINTS, MORE = 3, 50  # of one check; with -v
ONE_ERROR = "answer could not be had; it counts"
NO_ID = "without an id: cannot be accepted; what is not read is not trained on"


def findings_title(findings: Findings, here: Path | None = None) -> str:
    """Return the heading of a table of findings; a path below `here` is told from there."""
    path = Path(findings.path)
    if here is not None and here in path.parents:
        path = path.relative_to(here)
    where = f", {path}" if findings.path not in ("", ".") else ""
    return f"{findings.name}: {len(findings):,} in {findings.split or 'the data'}{where}"


def findings_table(findings: Sequence[Finding], rows: int = ROWS, *, ids: bool = False) -> str:
    """Return a table of line, kind and evidence; `rows` 0 shows all of them, and in full.

    With `ids` it has a column of them, by which findings are accepted.
    """
    top = findings[:rows] if rows else findings
    kinds = max([len("kind"), *(len(f.kind) for f in top)])
    column = f"  {'id':<{LENGTH}}" if ids else ""
    lines = [f"{'line':>7}  {'kind':<{kinds}}{column}  evidence"]
    before = 11 + kinds + len(column)
    most = 4 if ids else 2  # the column of ids takes room, and what is accepted must be read
    for finding in top:
        line = f"{finding.line:,}" if finding.line is not None else "-"
        known = f"  {finding.id or '-':<{LENGTH}}" if ids else ""
        first, *rest = _fold(finding.evidence, WIDTH - before, most=most if rows else None)
        lines.append(f"{line:>7}  {finding.kind:<{kinds}}{known}  {first}")
        lines += [" " * before + more for more in rest]
    if len(findings) > len(top):
        lines.append(f"{'':>9}{len(findings) - len(top):,} more; -v shows more, -vv all")
    if ids and not all(finding.id for finding in top):
        lines.append(f"{'':>9}{NO_ID}")
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
    passed: Mapping[str, Sequence[Mapping[str, Any]]], verbose: bool = False
) -> Iterator[tuple[str, list[str]]]:
    """Yield a heading and lines for what passing tests have to say: scores, then hints.

    What there was nothing to judge of is one line, or, `verbose`, a hint each.
    """
    notes = [note for notes in passed.values() for note in notes]
    if scores := [note for note in notes if note.get("value") is not None]:
        yield "scores", scores_table(scores)
    hints: dict[str, list[str]] = {}
    for (name, hint), splits in told(notes, verbose).items():
        hints.setdefault(f"{name} of {', '.join(splits)}" if splits else name, []).append(hint)
    most = MORE if verbose else HINTS
    lines = [line for whose, told in hints.items() for line in _hints(whose, told, most)]
    if lines := [*lines, *([] if verbose else _idle(passed))]:
        yield "hints", lines


def told(
    notes: Sequence[Mapping[str, Any]], verbose: bool = False
) -> dict[tuple[str, str], dict[str, None]]:
    """Return each hint of each check once, with the splits that it is about."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for note in notes:
        for hint in [*note.get("hints", ()), *(note.get("idle", ()) if verbose else ())]:
            splits = found.setdefault((str(note["name"]), hint), {})
            splits |= {note["split"]: None} if note["split"] else {}
    return found


def _idle(passed: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Count the tests with nothing to judge, by the names of their files."""
    tests = [nodeid for nodeid, notes in passed.items() if any(note.get("idle") for note in notes)]
    if not tests:
        return []
    files = ", ".join(dict.fromkeys(_file(nodeid) for nodeid in tests))
    n = f"{len(tests):,} test" + "s" * (len(tests) > 1)
    first, *rest = _fold(f"nothing to judge: {n} of {files} (see -v)", WIDTH - 2)
    return [first, *(f"  {line}" for line in rest)]


def _file(nodeid: str) -> str:
    """`suites/model/test_speed.py::test_cost`: `speed`."""
    return Path(nodeid.partition("::")[0]).stem.removeprefix("test_")


def _hints(whose: str, told: Sequence[str], most: int) -> list[str]:
    """Return the first few hints of a check: advice is read only while it is short."""
    lines = [line for hint in told[:most] for line in _hint(whose, hint)]
    more = len(told) - most
    advice = "; -v shows more" if most < MORE else ""
    return [*lines, f"{whose}: {more:,} more like this{advice}"] if more > 0 else lines


def _hint(whose: str, hint: str) -> list[str]:
    first, *rest = _fold(f"{whose}: {hint}", WIDTH - 2)
    return [first, *(f"  {line}" for line in rest)]


def accepted(found: Sequence[Mapping[str, str]], verbosity: int) -> list[str]:
    """Return how many findings were accepted; each with its reason where more is asked for."""
    if not found:
        return []
    if verbosity <= 0:
        several = "findings were" if len(found) > 1 else "finding was"
        return [f"{len(found):,} {several} accepted in accepted.toml; -v lists them"]
    lines = []
    for one in found:
        what = _fold(f"{one['check']} {one['kind']}, {one['where']}", WIDTH - 14)
        lines += [f"{one['id']}  {what[0]}", *(f"{'':14}{part}" for part in what[1:])]
        lines += [f"{'':14}{part}" for part in _fold(f"{one['why']} ({one['who']})", WIDTH - 14)]
    return lines


def comparison(score: Score, sign: str, limit: float) -> list[str]:
    """Return what pytest shows of `assert score >= limit` when it failed: at most eight lines."""
    share = score.hits is not None
    lines = [f"{score.name} {_beside(score, limit)} {sign} {shown_limit(limit, share)}"]
    if score.hits is not None:
        count = f"{score.hits:,} of {score.n:,}"
        lines.append(f"{count}{_interval(score)}{_wanted(score, sign, limit)}")
    elif score.n:
        lines.append(f"n = {score.n:,}{_interval(score)}")
    if score.mode == "lower":
        lines += _bound(score, limit)
    if score.errors:
        several = "answers could not be had; they count" if score.errors > 1 else ONE_ERROR
        lines.append(f"{score.errors:,} {several} as wrong here")
    if score.low <= limit <= score.high and score.mode == "point":
        lines.append(f"the limit lies inside the interval: n = {score.n:,} cannot tell them apart")
    if score.signature:
        lines += _fold(f"signature {score.signature}", WIDTH - 4, most=2)
    if score.hints:  # where it fails they matter most: a base that needs no fine-tuning, say
        lines += _fold(f"hint: {score.hints[0]}", WIDTH - 4, most=2)
    return lines


def _bound(score: Score, limit: float) -> list[str]:
    """Say what the bound is the bound of, and how many examples it takes to show the limit."""
    share = score.hits is not None
    lines = [f"95 % sure, one-sided, of the {shown(score.estimate, share)} measured"]
    if share and 0 < limit < 1 and not _proved(score.n, score.n, limit):
        least = math.ceil(math.log(0.05) / math.log(limit))
        few = f"n = {score.n:,} is too few to show {shown_limit(limit, share)}"
        lines.append(f"{few}: it takes {least:,}, and none of them wrong")
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
    if sign == ">=" and score.mode == "lower":
        more = next((k for k in range(n - hits + 1) if _proved(hits + k, n, limit)), None)
        return f"; {more:,} more must be right" if more else ""
    if sign == ">=":
        # Exact in floats as the comparison itself is, so that the advice is never one short.
        more = next((k for k in range(n - hits + 1) if (hits + k) / n >= limit), None)
        return f"; {more:,} more must be right" if more else ""
    if sign == "<=":
        fewer = next((k for k in range(hits + 1) if (hits - k) / n <= limit), None)
        return f"; {fewer:,} too many" if fewer else ""
    return ""


def _proved(hits: int, n: int, limit: float) -> bool:
    return clopper_pearson(hits, n) >= limit


def score_line(note: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of one judged score: name, value, interval, limit, n."""
    share = note["hits"] is not None
    known = note["low"] is not None
    interval = f"{shown(note['low'], share)} - {shown(note['high'], share)}" if known else ""
    unset = note["limit"] is None
    limit = "none set" if unset else f"{note['sign']} {shown_limit(note['limit'], share)}"
    return note["name"], shown(note["value"], share), interval, limit, f"{note['n']:,}"


def scores_table(notes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a table of judged scores, one line each; below it, what their n cannot show."""
    judged = list(notes)
    rows = [("score", "value", "95 % interval", "limit", "n"), *(score_line(n) for n in judged)]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    table = ["  ".join(_cell(row[i], widths[i], i) for i in range(5)).rstrip() for row in rows]
    return [*table, *dict.fromkeys(line for note in judged for line in _not_shown(note))]


def _not_shown(note: Mapping[str, Any]) -> Iterator[str]:
    """Say of a score that holds its limit as an estimate only what is certain of it."""
    limit, lower = note["limit"], note.get("lower")
    if limit is None or lower is None or note.get("mode") == "lower":
        return
    if not _SIGNS[note["sign"]](lower, limit):
        share = note["hits"] is not None
        wanted = f"{note['sign']} {shown_limit(limit, share)}"
        told = f"{note['name']}: n = {note['n']:,} does not show {wanted}, but {note['sign']} "
        yield from _fold(f"{told}{shown(lower, share)} (95 % sure)", WIDTH - 2)


def _cell(text: str, width: int, column: int) -> str:
    return text.ljust(width) if column == 0 else text.rjust(width)


_HEAD = re.compile(r" +line  (kind +(?:id +)?)evidence")


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
