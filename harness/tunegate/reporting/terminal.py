"""From values to lines: what a failed judgement looks like at 80 columns. Pure functions."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..checking.fingerprint import ID_LENGTH
from ..results.finding import Finding, Findings
from ..results.intervals import clopper_pearson
from ..results.score import Score, format_limit, format_value

WIDTH = 80
MAX_ROWS = 12
MAX_HINTS, MAX_HINTS_VERBOSE = 3, 50  # of one check; with -v
ONE_ERROR_TEXT = "answer could not be had; it counts"
NO_ID_TEXT = "without an id: cannot be accepted; what is not read is not trained on"


def findings_title(findings: Findings, folder: Path | None = None) -> str:
    """Return the heading of a table of findings; a path below `folder` is told from there."""
    path = Path(findings.path)
    if folder is not None and folder in path.parents:
        path = path.relative_to(folder)
    path_text = f", {path}" if findings.path not in ("", ".") else ""
    return f"{findings.name}: {len(findings):,} in {findings.split or 'the data'}{path_text}"


def findings_table(findings: Sequence[Finding], rows: int = MAX_ROWS, *, ids: bool = False) -> str:
    """Return a table of line, kind and evidence; `rows` 0 shows all of them, and in full.

    With `ids` it has a column of them, by which findings are accepted.
    """
    shown_findings = findings[:rows] if rows else findings
    kind_width = max([len("kind"), *(len(f.kind) for f in shown_findings)])
    column = f"  {'id':<{ID_LENGTH}}" if ids else ""
    lines = [f"{'line':>7}  {'kind':<{kind_width}}{column}  evidence"]
    indent = 11 + kind_width + len(column)
    max_lines = 4 if ids else 2  # the column of ids takes room, and what is accepted must be read
    for finding in shown_findings:
        line = f"{finding.line:,}" if finding.line is not None else "-"
        id_cell = f"  {finding.id or '-':<{ID_LENGTH}}" if ids else ""
        first, *rest = _wrap(
            finding.evidence, WIDTH - indent, max_lines=max_lines if rows else None
        )
        lines.append(f"{line:>7}  {finding.kind:<{kind_width}}{id_cell}  {first}")
        lines += [" " * indent + continuation for continuation in rest]
    if len(findings) > len(shown_findings):
        lines.append(f"{'':>9}{len(findings) - len(shown_findings):,} more; -v shows more, -vv all")
    if ids and not all(finding.id for finding in shown_findings):
        lines.append(f"{'':>9}{NO_ID_TEXT}")
    return "\n".join(lines)


def _wrap(text: str, width: int, max_lines: int | None = None) -> list[str]:
    import textwrap

    line = " ".join(text.split())
    return textwrap.wrap(line, max(width, 30), max_lines=max_lines, placeholder=" ...") or [""]


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt
}  # fmt: skip


def explain_failure(score: Score, sign: str, limit: float) -> list[str] | None:
    """Return the explanation of a comparison that failed; None for one that held.

    pytest asks for comparisons that held too, where they stand inside an `and`.
    """
    if sign not in _COMPARISONS or _COMPARISONS[sign](float(score), limit):
        return None
    return comparison(score, sign, limit)


def session_summary(
    passed: Mapping[str, Sequence[Mapping[str, Any]]], verbose: bool = False
) -> Iterator[tuple[str, list[str]]]:
    """Yield a heading and lines for what passing tests have to say: scores, then hints.

    What there was nothing to judge of is one line, or, `verbose`, a hint each.
    """
    outcomes = [outcome for outcomes in passed.values() for outcome in outcomes]
    if scores := [outcome for outcome in outcomes if outcome.get("value") is not None]:
        yield "scores", scores_table(scores)
    hints: dict[str, list[str]] = {}
    for (name, hint), splits in collect_hints(outcomes, verbose).items():
        hints.setdefault(f"{name} of {', '.join(splits)}" if splits else name, []).append(hint)
    max_hints = MAX_HINTS_VERBOSE if verbose else MAX_HINTS
    lines = [
        line
        for check, check_hints in hints.items()
        for line in _hint_lines(check, check_hints, max_hints)
    ]
    if lines := [*lines, *([] if verbose else _not_applicable_lines(passed))]:
        yield "hints", lines


def collect_hints(
    outcomes: Sequence[Mapping[str, Any]], verbose: bool = False
) -> dict[tuple[str, str], dict[str, None]]:
    """Return each hint of each check once, with the splits that it is about."""
    splits_by_hint: dict[tuple[str, str], dict[str, None]] = {}
    for outcome in outcomes:
        for hint in [*outcome.get("hints", ()), *(outcome.get("idle", ()) if verbose else ())]:
            splits = splits_by_hint.setdefault((str(outcome["name"]), hint), {})
            splits |= {outcome["split"]: None} if outcome["split"] else {}
    return splits_by_hint


def _not_applicable_lines(passed: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Count the tests with nothing to judge, by the names of their files."""
    tests = [
        nodeid
        for nodeid, outcomes in passed.items()
        if any(outcome.get("idle") for outcome in outcomes)
    ]
    if not tests:
        return []
    files = ", ".join(dict.fromkeys(_check_name(nodeid) for nodeid in tests))
    n = f"{len(tests):,} test" + "s" * (len(tests) > 1)
    first, *rest = _wrap(f"nothing to judge: {n} of {files} (see -v)", WIDTH - 2)
    return [first, *(f"  {line}" for line in rest)]


def _check_name(nodeid: str) -> str:
    """`suites/model/test_speed.py::test_cost`: `speed`."""
    return Path(nodeid.partition("::")[0]).stem.removeprefix("test_")


def _hint_lines(check: str, hints: Sequence[str], max_hints: int) -> list[str]:
    """Return the first few hints of a check: advice is read only while it is short."""
    lines = [line for hint in hints[:max_hints] for line in _hint_line(check, hint)]
    hidden = len(hints) - max_hints
    advice = "; -v shows more" if max_hints < MAX_HINTS_VERBOSE else ""
    return [*lines, f"{check}: {hidden:,} more like this{advice}"] if hidden > 0 else lines


def _hint_line(check: str, hint: str) -> list[str]:
    first, *rest = _wrap(f"{check}: {hint}", WIDTH - 2)
    return [first, *(f"  {line}" for line in rest)]


def accepted_lines(entries: Sequence[Mapping[str, str]], verbosity: int) -> list[str]:
    """Return how many findings were accepted; each with its reason where more is asked for."""
    if not entries:
        return []
    if verbosity <= 0:
        noun = "findings were" if len(entries) > 1 else "finding was"
        return [f"{len(entries):,} {noun} accepted in accepted.toml; -v lists them"]
    lines = []
    for entry in entries:
        heading = _wrap(f"{entry['check']} {entry['kind']}, {entry['where']}", WIDTH - 14)
        lines += [f"{entry['id']}  {heading[0]}", *(f"{'':14}{part}" for part in heading[1:])]
        lines += [
            f"{'':14}{part}" for part in _wrap(f"{entry['why']} ({entry['who']})", WIDTH - 14)
        ]
    return lines


def comparison(score: Score, sign: str, limit: float) -> list[str]:
    """Return what pytest shows of `assert score >= limit` when it failed: at most eight lines."""
    is_share = score.hits is not None
    lines = [
        f"{score.name} {_value_beside_limit(score, limit)} {sign} {format_limit(limit, is_share)}"
    ]
    if score.hits is not None:
        count = f"{score.hits:,} of {score.n:,}"
        lines.append(f"{count}{_interval_text(score)}{_needed_text(score, sign, limit)}")
    elif score.n:
        lines.append(f"n = {score.n:,}{_interval_text(score)}")
    if score.mode == "lower":
        lines += _bound_lines(score, limit)
    if score.errors:
        noun = "answers could not be had; they count" if score.errors > 1 else ONE_ERROR_TEXT
        lines.append(f"{score.errors:,} {noun} as wrong here")
    if score.low <= limit <= score.high and score.mode == "point":
        lines.append(f"the limit lies inside the interval: n = {score.n:,} cannot tell them apart")
    if score.signature:
        lines += _wrap(f"signature {score.signature}", WIDTH - 4, max_lines=2)
    if score.hints:  # where it fails they matter most: a base that needs no fine-tuning, say
        lines += _wrap(f"hint: {score.hints[0]}", WIDTH - 4, max_lines=2)
    return lines


def _bound_lines(score: Score, limit: float) -> list[str]:
    """Say what the bound is the bound of, and how many examples it takes to show the limit."""
    is_share = score.hits is not None
    lines = [f"95 % sure, one-sided, of the {format_value(score.estimate, is_share)} measured"]
    if is_share and 0 < limit < 1 and not _lower_bound_holds(score.n, score.n, limit):
        needed_n = math.ceil(math.log(0.05) / math.log(limit))
        message = f"n = {score.n:,} is too few to show {format_limit(limit, is_share)}"
        lines.append(f"{message}: it takes {needed_n:,}, and none of them wrong")
    return lines


def _value_beside_limit(score: Score, limit: float) -> str:
    """Return the value with as many digits as it takes to tell it from the limit."""
    value, is_share = float(score), score.hits is not None
    if not is_share or f"{value:.1%}" != f"{limit:.1%}":
        return format_value(value, is_share)
    return next(
        (f"{value:.{n}%}" for n in range(1, 9) if f"{value:.{n}%}" != f"{limit:.{n}%}"),
        format_value(value, is_share),
    )


def _interval_text(score: Score) -> str:
    if math.isnan(score.low):
        return ""
    low, high = (format_value(v, score.hits is not None) for v in (score.low, score.high))
    return f", 95 % interval {low} to {high}"


def _needed_text(score: Score, sign: str, limit: float) -> str:
    """Say how many more (or fewer) would have held the limit."""
    hits, n = score.hits or 0, score.n
    if sign == ">=" and score.mode == "lower":
        more = next(
            (k for k in range(n - hits + 1) if _lower_bound_holds(hits + k, n, limit)), None
        )
        return f"; {more:,} more must be right" if more else ""
    if sign == ">=":
        # Exact in floats as the comparison itself is, so that the advice is never one short.
        more = next((k for k in range(n - hits + 1) if (hits + k) / n >= limit), None)
        return f"; {more:,} more must be right" if more else ""
    if sign == "<=":
        fewer = next((k for k in range(hits + 1) if (hits - k) / n <= limit), None)
        return f"; {fewer:,} too many" if fewer else ""
    return ""


def _lower_bound_holds(hits: int, n: int, limit: float) -> bool:
    return clopper_pearson(hits, n) >= limit


def score_cells(outcome: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of one judged score: name, value, interval, limit, n."""
    is_share = outcome["hits"] is not None
    has_interval = outcome["low"] is not None
    interval = (
        f"{format_value(outcome['low'], is_share)} - {format_value(outcome['high'], is_share)}"
        if has_interval
        else ""
    )
    unset = outcome["limit"] is None
    limit = "none set" if unset else f"{outcome['sign']} {format_limit(outcome['limit'], is_share)}"
    return (
        outcome["name"],
        format_value(outcome["value"], is_share),
        interval,
        limit,
        f"{outcome['n']:,}",
    )


def scores_table(outcomes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a table of judged scores, one line each; below it, what their n cannot show."""
    judged = list(outcomes)
    rows = [("score", "value", "95 % interval", "limit", "n"), *(score_cells(n) for n in judged)]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    table = ["  ".join(_cell(row[i], widths[i], i) for i in range(5)).rstrip() for row in rows]
    return [*table, *dict.fromkeys(line for outcome in judged for line in _unproven_lines(outcome))]


def _unproven_lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    """Say of a score that holds its limit as an estimate only what is certain of it."""
    limit, lower = outcome["limit"], outcome.get("lower")
    if limit is None or lower is None or outcome.get("mode") == "lower":
        return
    if not _COMPARISONS[outcome["sign"]](lower, limit):
        is_share = outcome["hits"] is not None
        limit_text = f"{outcome['sign']} {format_limit(limit, is_share)}"
        message = f"{outcome['name']}: n = {outcome['n']:,} does not show {limit_text}, but {outcome['sign']} "
        yield from _wrap(f"{message}{format_value(lower, is_share)} (95 % sure)", WIDTH - 2)


def _cell(text: str, width: int, column: int) -> str:
    return text.ljust(width) if column == 0 else text.rjust(width)


_TABLE_HEADER = re.compile(r" +line  (kind +(?:id +)?)evidence")


def colourise(table: str) -> str:
    """Colour a table of findings for a terminal; any other text comes back as it was."""
    head, *rows = table.split("\n")
    match = _TABLE_HEADER.fullmatch(head)
    if match is None:
        return table
    return "\n".join([f"\x1b[1m{head}\x1b[0m", *(_coloured_row(row, match.end(1)) for row in rows)])


def _coloured_row(row: str, evidence: int) -> str:
    line, kind, rest = row[:7], row[7:evidence], row[evidence:]
    if line.strip():
        return f"\x1b[36m{line}\x1b[0m\x1b[33m{kind}\x1b[0m{rest}"
    return row if not kind.strip() else f"\x1b[2m{row}\x1b[0m"
