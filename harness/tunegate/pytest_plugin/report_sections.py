"""What a test leaves in its report: the bytes it judged, its judgements, tables of what failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ..data.dataset import SPLITS
from ..reporting import terminal
from ..results.acceptance import is_accepting
from ..results.finding import Findings
from ..results.outcome import Outcome
from ..results.score import Score, Unmeasurable
from ..results.session_results import REPORT_PROPERTY
from . import fixtures

SPLIT_MARKER = "split(*names): run a test that asks for `dataset` on these splits only"


def parametrize_dataset(metafunc: pytest.Metafunc, configured: Sequence[str]) -> None:
    """Run a test once per split, where the `dataset` it asks for is ours."""
    definitions = metafunc._arg2fixturedefs.get("dataset", ())
    if not definitions or definitions[-1].func.__module__ != fixtures.__name__:
        return
    # Over nothing a test would be skipped: without data it runs, and says what is missing.
    splits = _marked_splits(metafunc, list(configured)) or ["train"]
    metafunc.parametrize("dataset", splits, indirect=True, scope="function")


def _marked_splits(metafunc: pytest.Metafunc, configured: list[str]) -> list[str]:
    marks = [str(name) for m in metafunc.definition.iter_markers("split") for name in m.args]
    if unknown := [name for name in marks if name not in SPLITS]:
        raise pytest.UsageError(f"unknown split {unknown[0]!r}; valid: {', '.join(SPLITS)}")
    return list(dict.fromkeys(marks)) or configured


def add_report_properties(
    item: pytest.Item,
    call: pytest.CallInfo[Any],
    outcomes: Sequence[Outcome],
    digests: Mapping[str, str],
) -> None:
    """Put what survives xdist and JUnit into the test's properties, as builtins only."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    names = {*getattr(item, "fixturenames", ()), params.get("dataset")}
    judged_digests = [[split, digest] for split, digest in digests.items() if split in names]
    failed = call.excinfo is not None and call.excinfo.errisinstance(Unmeasurable)
    value = {
        "digests": judged_digests,
        "judgements": [judgement.to_dict() for judgement in outcomes],
        "unmeasurable": failed,
    }
    item.user_properties.append((REPORT_PROPERTY, value))


def failure_tables(outcomes: Sequence[Outcome], verbosity: int) -> Iterator[tuple[str, str]]:
    """Yield a heading and a table for each value that did not hold, once."""
    rows, ids = (
        {0: terminal.MAX_ROWS, 1: 50}.get(max(verbosity, 0), 0),
        verbosity > 0 and is_accepting(),
    )
    for subject in {id(j.subject): j.subject for j in outcomes if not j.passed}.values():
        findings = subject.misses if isinstance(subject, Score) else subject
        if isinstance(subject, Score) and subject.detail:
            yield f"{subject.name}: detail", subject.detail
        if isinstance(findings, Findings) and len(findings):
            title = terminal.findings_title(findings, Path.cwd())
            yield title, terminal.findings_table(findings, rows, ids=ids)


def add_failure_tables(
    report: pytest.TestReport,
    outcomes: Sequence[Outcome],
    verbosity: int,
    shown_tables: dict[str, str],
) -> None:
    """Add the tables to the report: they survive --show-capture=no and reach JUnit.

    A table that stands under another test already, by `shown_tables`, is pointed to: accuracy and macro-F1
    miss the same rows.
    """
    add_section = getattr(report.longrepr, "addsection", None)
    if add_section is not None:
        for title, table in failure_tables(outcomes, verbosity):
            first = shown_tables.setdefault(f"{title}\n{table}", report.nodeid)
            add_section(title, table if first == report.nodeid else f"as under {first}", "-")


def colourise_report(report: pytest.TestReport) -> None:
    """Colour our tables for the terminal; by now the other reporters have their plain copy."""
    tables = getattr(report.longrepr, "sections", None)
    if tables:
        coloured = [(name, terminal.colourise(str(text)), sep) for name, text, sep in tables]
        tables[:] = coloured
