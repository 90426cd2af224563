"""What a test leaves in its report: the bytes it judged, its judgements, tables of what failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from . import fixtures, render
from .acceptance import active
from .dataset import SPLITS
from .findings import Findings
from .ledger import Judgement
from .score import Score, Unmeasurable
from .tally import PROPERTY

MARK = "split(*names): run a test that asks for `dataset` on these splits only"


def parametrize(metafunc: pytest.Metafunc, configured: Sequence[str]) -> None:
    """Run a test once per split, where the `dataset` it asks for is ours."""
    definitions = metafunc._arg2fixturedefs.get("dataset", ())
    if not definitions or definitions[-1].func.__module__ != fixtures.__name__:
        return
    # Over nothing a test would be skipped: without data it runs, and says what is missing.
    splits = _narrowed(metafunc, list(configured)) or ["train"]
    metafunc.parametrize("dataset", splits, indirect=True, scope="function")


def _narrowed(metafunc: pytest.Metafunc, configured: list[str]) -> list[str]:
    marks = [str(name) for m in metafunc.definition.iter_markers("split") for name in m.args]
    if unknown := [name for name in marks if name not in SPLITS]:
        raise pytest.UsageError(f"unknown split {unknown[0]!r}; valid: {', '.join(SPLITS)}")
    return list(dict.fromkeys(marks)) or configured


def note(
    item: pytest.Item,
    call: pytest.CallInfo[Any],
    ledger: Sequence[Judgement],
    digests: Mapping[str, str],
) -> None:
    """Put what survives xdist and JUnit into the test's properties, as builtins only."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    names = {*getattr(item, "fixturenames", ()), params.get("dataset")}
    judged = [[split, digest] for split, digest in digests.items() if split in names]
    failed = call.excinfo is not None and call.excinfo.errisinstance(Unmeasurable)
    value = {
        "digests": judged,
        "judgements": [judgement.plain() for judgement in ledger],
        "unmeasurable": failed,
    }
    item.user_properties.append((PROPERTY, value))


def sections(ledger: Sequence[Judgement], verbosity: int) -> Iterator[tuple[str, str]]:
    """Yield a heading and a table for each value that did not hold, once."""
    rows, ids = {0: render.ROWS, 1: 50}.get(max(verbosity, 0), 0), verbosity > 0 and active()
    for subject in {id(j.subject): j.subject for j in ledger if not j.held}.values():
        found = subject.misses if isinstance(subject, Score) else subject
        if isinstance(subject, Score) and subject.detail:
            yield f"{subject.name}: detail", subject.detail
        if isinstance(found, Findings) and len(found):
            title = render.findings_title(found, Path.cwd())
            yield title, render.findings_table(found, rows, ids=ids)


def explain(
    report: pytest.TestReport, ledger: Sequence[Judgement], verbosity: int, told: dict[str, str]
) -> None:
    """Add the tables to the report: they survive --show-capture=no and reach JUnit.

    A table that stands under another test already, by `told`, is pointed to: accuracy and macro-F1
    miss the same rows.
    """
    add = getattr(report.longrepr, "addsection", None)
    if add is not None:
        for title, table in sections(ledger, verbosity):
            first = told.setdefault(f"{title}\n{table}", report.nodeid)
            add(title, table if first == report.nodeid else f"as under {first}", "-")


def colour(report: pytest.TestReport) -> None:
    """Colour our tables for the terminal; by now the other reporters have their plain copy."""
    tables = getattr(report.longrepr, "sections", None)
    if tables:
        painted = [(name, render.paint(str(text)), sep) for name, text, sep in tables]
        tables[:] = painted
