"""Turns findings, scores and hints into lines of at most 80 columns for the terminal."""

import math
import operator
import os
import re
import textwrap
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ..checking.decorator import ID_LENGTH
from ..results.finding import Finding, Findings
from ..results.outcome import Outcome
from ..results.score import Score, clopper_pearson, format_limit, format_value, rows_needed
from ..results.session_results import asked_in_words
from ..utils.github import MAX_ANNOTATIONS, annotation
from ..utils.masking import mask, masker
from ..utils.text import counted, cut

WIDTH = 80
MAX_ROWS, MAX_ROWS_VERBOSE = 12, 50  # of one table; with -v; -vv shows all rows
MIN_EVIDENCE_WIDTH = 30
EXAMPLES = 3  # of one cause, in a table that cannot show all
MAX_HINTS, MAX_HINTS_VERBOSE = 3, 50  # of one check; with -v
NO_ID_TEXT = "without an id: cannot be accepted; what is not read is not trained on"
NOT_HELD = {False: ", failed", None: ", unmeasurable"}
# A check that a user wrote has no entry: its evidence says what to do.
ADVICE = tomllib.loads(Path(__file__).with_name("advice.toml").read_text("utf-8"))


def failure_tables(
    outcomes: Sequence[Outcome], verbosity: int, *, accepts: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield a heading and a table, once, for each score that failed and each check that found.

    However a failed test asserted on findings, they are why. Advisory ones of a fixture are not: a
    fixture leaves rows out by them. `accepts`: the findings can be accepted, so that -v shows ids.
    """
    rows = {0: MAX_ROWS, 1: MAX_ROWS_VERBOSE}.get(max(verbosity, 0), 0)
    show_ids = verbosity > 0 and accepts
    failed = [o for o in outcomes if not o.passed or (o.data.get("found") and not o.fixture)]
    shown = set[int]()
    for subject in {id(o.subject): o.subject for o in failed}.values():
        findings = subject.misses if isinstance(subject, Score) else subject
        if isinstance(subject, Score) and subject.detail:
            yield f"{subject.name}: detail", subject.detail
        if isinstance(findings, Findings) and findings and id(findings) not in shown:
            shown.add(id(findings))
            path, folder = Path(findings.path), Path.cwd()
            path = path.relative_to(folder) if folder in path.parents else path
            place = findings.split or "the data"
            place += f", {path}" if findings.path not in ("", ".") else ""
            heading = f"{findings.name}: {len(findings):,} in {place}"
            table = findings_table(findings.items, rows, ids=show_ids)
            advice = advice_for(findings.name, findings.kinds)
            yield heading, "\n".join([table, *(_wrap(advice, WIDTH) if advice else ())])


def findings_table(findings: Sequence[Finding], rows: int = MAX_ROWS, *, ids: bool = False) -> str:
    """Return a table of line, kind and evidence, with `ids` too; `rows` 0 shows all, in full."""
    shown_findings = _examples(findings, rows)
    # Misses of a score come from no check; and a value that is wrapped could not be masked.
    mask = masker(quotes=True)
    kinds = [mask(finding.kind) for finding in shown_findings]
    column = f"  {'id':<{ID_LENGTH}}" if ids else ""
    if rows:  # a label as a kind can be so long that no width is left
        kinds = [cut(kind, WIDTH - MIN_EVIDENCE_WIDTH - 11 - len(column)) for kind in kinds]
    kind_width = max(map(len, ["kind", *kinds]))
    lines = [f"{'line':>7}  {'kind':<{kind_width}}{column}  evidence"]
    indent = 11 + kind_width + len(column)
    # The column of ids takes width, and who accepts a finding must be able to read it.
    max_lines = None if not rows else 4 if ids else 2
    for finding, kind in zip(shown_findings, kinds, strict=True):
        line = f"{finding.line:,}" if finding.line is not None else "-"
        id_cell = f"  {finding.id or '-':<{ID_LENGTH}}" if ids else ""
        # Of what concerns the whole set, all is shown: it ends on what to write.
        evidence_lines = max_lines if finding.row is not None else None
        first, *rest = _wrap(mask(finding.evidence), WIDTH - indent, evidence_lines)
        lines.append(f"{line:>7}  {kind:<{kind_width}}{id_cell}  {first}")
        lines += [" " * indent + continuation for continuation in rest]
    if len(findings) > len(shown_findings):
        causes = {_cause(finding) for finding in shown_findings}
        like = " like these" if all(_cause(finding) in causes for finding in findings) else ""
        more = f"{len(findings) - len(shown_findings):,} more{like}"
        lines.append(f"{'':>9}{more}; -v shows more, -vv all")
    if ids and not all(finding.id for finding in shown_findings):
        lines.append(f"{'':>9}{NO_ID_TEXT}")
    return "\n".join(lines)


def _examples(findings: Sequence[Finding], rows: int) -> Sequence[Finding]:
    """Return the findings to show: all, or three of each cause where there are many and no -v."""
    if not rows or len(findings) <= rows or rows > MAX_ROWS:
        return findings[:rows] if rows else findings
    seen: Counter[tuple[str, str]] = Counter()
    shown = []
    for finding in findings:
        cause = _cause(finding)
        seen[cause] += 1
        if seen[cause] <= EXAMPLES:
            shown.append(finding)
    return shown[:rows]


def _cause(finding: Finding) -> tuple[str, str]:
    """Return what findings of one cause share: the kind, and the evidence without what it names."""
    return finding.kind, _NAMED.sub("", finding.evidence)


_NAMED = re.compile(r"“[^”]*”|'[^']*'|\d[\d,.]*")


def _wrap(text: str, width: int, max_lines: int | None = None) -> list[str]:
    line, width = " ".join(text.split()), max(width, MIN_EVIDENCE_WIDTH)
    line = re.sub(r"(?<=\d) (?=%)", "\xa0", line)  # a number and its unit stay on one line
    lines = textwrap.wrap(line, width, max_lines=max_lines, placeholder=" ...") or [""]
    return [line.replace("\xa0", " ") for line in lines]


def _bullet(text: str) -> list[str]:
    """Wrap a text; all lines but the first are indented."""
    first, *rest = _wrap(text, WIDTH - 2)
    return [first, *(f"  {line}" for line in rest)]


def behind_label(text: str, width: int) -> str:
    """Return what stands behind a label of ten columns, each of its lines wrapped to the width."""
    wrap = partial(textwrap.wrap, break_long_words=False, break_on_hyphens=False)
    lines = (wrap(line, width - 10, subsequent_indent="  ") or [""] for line in text.split("\n"))
    return ("\n" + " " * 10).join(chain.from_iterable(lines))


def annotations(
    findings: Sequence[Mapping[str, Any]], paths: Mapping[str, Path], top: Path
) -> Iterator[str]:
    """Yield GitHub's lines for findings beside rows; `paths` by split, `top` of the repository."""
    for f in findings[:MAX_ANNOTATIONS]:
        split, line = re.fullmatch(r"(.*?)(?:, )?(?:line (\d+))?", f["where"]).groups()  # type: ignore[union-attr]
        file = os.path.relpath(paths[split], top) if split in paths else ""
        title = f"{f['check']}: {f['kind']}"
        yield annotation("error", mask(f["evidence"]), file=file, line=line, title=mask(title))
    if (more := len(findings) - MAX_ANNOTATIONS) > 0:
        told = f"{counted(more, 'more finding')}: see the job's output, or tunegate data findings"
        yield annotation("notice", told, title="tunegate")


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt
}  # fmt: skip


def session_summary(
    passed: Mapping[str, Sequence[Mapping[str, Any]]], verbose: bool = False,
    not_applicable: Sequence[str] = (), asked: Mapping[str, Any] = {},
    failed: Mapping[str, Sequence[Mapping[str, Any]]] = {},
) -> Iterator[tuple[str, list[str]]]:  # fmt: skip
    """Yield a heading and lines for the scores of tests, then for their hints.

    `passed` and `failed` map node ids to outcomes; `asked` says which of the test rows they are
    about. Of one check the first hints are shown: advice is read only while it is short. Tests with
    nothing to judge are counted, with `verbose` each is a hint; those `not_applicable` are counted.
    """
    outcomes = [outcome for outcomes in passed.values() for outcome in outcomes]
    for outcome in chain.from_iterable(failed.values()):
        if "value" in outcome:  # of a score the failure has shown the hints
            name = f"{outcome['name']}{NOT_HELD.get(outcome['held'], '')}"
            outcome = {**outcome, "name": name, "hints": []}
        outcomes.append(outcome)
    if scores := [outcome for outcome in outcomes if outcome.get("value") is not None]:
        words = asked_in_words(asked)
        yield "scores", [*scores_table(scores), *(_wrap(words, WIDTH) if words else ())]
    max_hints, advice = (MAX_HINTS_VERBOSE, "") if verbose else (MAX_HINTS, "; -v shows more")
    lines, causes, alike = list[str](), set[str](), 0
    for heading, hints in collect_hints(outcomes, verbose).items():
        # What was said of another split, with other numbers, is counted.
        of_heading = {hint: _NAMED.sub("", hint) for hint in hints[:max_hints]}
        for hint, cause in of_heading.items():
            if verbose or cause not in causes:
                lines += _bullet(f"{heading}: {hint}")
            else:
                alike += 1
        causes |= {*of_heading.values()}
        if (hidden := len(hints) - max_hints) > 0:
            lines.append(f"{heading}: {hidden:,} more like this{advice}")
    if alike:
        lines.append(f"{counted(alike, 'hint')} like these of other splits{advice}")
    idle = [nodeid for nodeid, of_test in passed.items() if any(o.get("idle") for o in of_test)]
    if idle and not verbose:
        lines += _bullet(f"nothing to judge: {_count_by_file(idle)} (see -v)")
    if not_applicable:
        lines += _bullet(f"not for this project: {_count_by_file(not_applicable)}")
    if lines:
        yield "hints", lines


def _count_by_file(nodeids: Sequence[str]) -> str:
    """Return the number of tests and their files: suites/model/test_speed.py is "speed"."""
    files = (Path(nodeid.partition("::")[0]).stem.removeprefix("test_") for nodeid in nodeids)
    return f"{counted(len(nodeids), 'test')} of {', '.join(dict.fromkeys(files))}"


def collect_hints(
    outcomes: Sequence[Mapping[str, Any]], verbose: bool = False
) -> dict[str, list[str]]:
    """Return the hints by check and splits, each once; `verbose` adds why nothing was judged."""
    splits_of: dict[tuple[str, str], dict[str, None]] = {}
    for outcome in outcomes:
        for hint in [*outcome.get("hints", ()), *(outcome.get("idle", ()) if verbose else ())]:
            splits = splits_of.setdefault((str(outcome["name"]), hint), {})
            splits |= {outcome["split"]: None} if outcome["split"] else {}
    hints: dict[str, list[str]] = {}
    for (name, hint), splits in splits_of.items():
        hints.setdefault(f"{name} of {', '.join(splits)}" if splits else name, []).append(hint)
    return hints


def accepted_lines(entries: Sequence[Mapping[str, str]], verbosity: int) -> list[str]:
    """Return how many findings were accepted; with -v, each of them with its reason."""
    if verbosity <= 0:
        found = f"{counted(len(entries), 'finding')} {'were' if len(entries) > 1 else 'was'}"
        return [f"{found} accepted in accepted.toml; -v lists them"]
    lines = []
    for entry in entries:
        heading = _wrap(f"{entry['check']} {entry['kind']}, {entry['where']}", WIDTH - 14)
        lines += [f"{entry['id']}  {heading[0]}", *(f"{'':14}{part}" for part in heading[1:])]
        why = _wrap(f"{entry['why']} ({entry['who']})", WIDTH - 14)
        lines += [f"{'':14}{part}" for part in why]
    return lines


def explain_failure(score: Score, sign: str, limit: float) -> list[str] | None:
    """Return up to eight lines on a false `score >= limit`; None for a true one, as in an `and`."""
    value, is_share = float(score), score.hits is not None
    if sign not in _COMPARISONS or _COMPARISONS[sign](value, limit):
        return None
    value_text = format_value(value, is_share)
    if is_share and f"{value:.1%}" == f"{limit:.1%}":  # more digits, to tell the two apart
        digits = (n for n in range(1, 9) if f"{value:.{n}%}" != f"{limit:.{n}%}")
        value_text = next((f"{value:.{n}%}" for n in digits), value_text)
    lines, interval = [f"{score.name} {value_text} {sign} {format_limit(limit, is_share)}"], ""
    if not math.isnan(score.low):
        low, high = (format_value(v, is_share) for v in (score.low, score.high))
        interval = f", 95 % interval {low} to {high}"
    if score.hits is not None:
        lines.append(f"{score.hits:,} of {score.n:,}{interval}{_needed_text(score, sign, limit)}")
    elif score.n:
        lines.append(f"n = {score.n:,}{interval}")
    if score.mode != "point":
        estimate = format_value(score.estimate, is_share)
        lines.append(f"95 % sure, one-sided, of the {estimate} measured")
        if is_share and score.units < (needed := rows_needed(score, sign, limit)):
            too_few = f"n = {score.n:,} is too few to show {format_limit(limit, is_share)}"
            lines.append(f"{too_few}: it takes {needed:,}, and none of them wrong")
    if score.errors:
        plural, count = ("s", "they count") if score.errors > 1 else ("", "it counts")
        lines.append(f"{score.errors:,} answer{plural} could not be had; {count} as wrong here")
    if score.low <= limit <= score.high and score.mode == "point":
        lines.append(f"the limit lies inside the interval: n = {score.n:,} cannot tell them apart")
    if score.signature:
        lines += _wrap(f"signature {score.signature}", WIDTH - 14, max_lines=2)
    if score.hints:  # such as that the base model needs no fine-tuning
        lines += _wrap(f"hint: {score.hints[0]}", WIDTH - 14, max_lines=2)
    return lines


def _needed_text(score: Score, sign: str, limit: float) -> str:
    """Return how many more right (or fewer wrong) answers would have held the limit."""
    hits, n = score.hits or 0, score.n
    if score.mode != "point" and score.lower is not None:  # not of the count alone
        return ""
    # In floats as the comparison itself is computed, so that the advice is never one short.
    for more in range(n - hits + 1 if sign == ">=" else 0):
        right = hits + more
        if (clopper_pearson(right, n) if score.mode == "lower" else right / n) >= limit:
            return f"; {more:,} more must be right" if more else ""
    for fewer in range(hits + 1 if sign == "<=" else 0):
        wrong = hits - fewer
        if (1 - clopper_pearson(n - wrong, n) if score.mode == "upper" else wrong / n) <= limit:
            return f"; {fewer:,} too many" if fewer else ""
    return ""


def score_cells(outcome: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of one judged score: name, value, interval, limit, n."""
    is_share = outcome["hits"] is not None
    interval, limit = "", "none set"
    if outcome["low"] is not None:
        low, high = (format_value(outcome[end], is_share) for end in ("low", "high"))
        interval = f"{low} - {high}"
    if outcome["limit"] is not None:
        limit = f"{outcome['sign']} {format_limit(outcome['limit'], is_share)}"
    value = format_value(outcome["value"], is_share)
    return outcome["name"], value, interval, limit, f"{outcome['n']:,}"


def grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *cells in rows:
        numbers = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        lines.append("  ".join([name.ljust(widths[0]), *numbers]).rstrip())
    return lines


def scores_table(judged: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table of judged scores, and a note on each limit that n does not show."""
    rows = [("score", "value", "95 % interval", "limit", "n"), *map(score_cells, judged)]
    lines = grid(rows)
    notes: dict[str, None] = {}
    for outcome, (name, _, _, limit_text, n) in zip(judged, rows[1:], strict=True):
        limit, bound = outcome["limit"], outcome.get("lower")
        if limit is None or bound is None or outcome.get("mode") == "lower":
            continue
        holds = _COMPARISONS[outcome["sign"]]
        if holds(outcome["value"], limit) and not holds(bound, limit):
            shown = f"{outcome['sign']} {format_value(bound, outcome['hits'] is not None)}"
            note = f"{name}: n = {n} does not show {limit_text}, but {shown} (95 % sure)"
            notes |= dict.fromkeys(_wrap(note, WIDTH - 2))
    return [*lines, *notes]


def colourise(table: str) -> str:
    """Return a table of findings with terminal colours; any other text comes back unchanged."""
    head, *rows = table.split("\n")
    if (match := re.fullmatch(r" +line  (kind +(?:id +)?)evidence", head)) is None:
        return table
    lines, evidence = [f"\x1b[1m{head}\x1b[0m"], match.end(1)
    for row in rows:
        line, kind, rest = row[:7], row[7:evidence], row[evidence:]
        if re.fullmatch(" *(?:[0-9,]+|-)", line):
            lines.append(f"\x1b[36m{line}\x1b[0m\x1b[33m{kind}\x1b[0m{rest}")
        else:  # a continuation of the evidence, a note below the rows, or what is to do
            lines.append(f"\x1b[2m{row}\x1b[0m" if kind.strip() and not line.strip() else row)
    return "\n".join(lines)


def advice_for(check: str, kinds: Iterable[str] = ()) -> str:
    """Return what to do about findings of these kinds in one line; "" for a user's own check."""
    general = ADVICE.get(check, "")
    said = dict.fromkeys(ADVICE.get(f"{check}: {kind}", general) for kind in [*kinds] or [""])
    return f"to do: {'; '.join(said)}" if any(said) else ""


def without_addresses(text: str) -> str:
    """Return a text of pytest's with the name of each function instead of its place in memory."""
    return re.sub(r"<function (?:[\w.<>]*\.)?(\w+) at 0x[0-9a-f]+>", r"\1", text)
