"""The data suite as the receipt has it: each test with what it said of each split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..dataset import SPLITS
from ..render import score_line, told
from .gather import Found, Json
from .page import CheckRow, Suite
from .words import counted, few, first, minute, pairs, spoken

Tests = dict[str, list[dict[str, Any]]]
NONE = "There is no receipt: no gate of this project opened for this run."
ANY = ""  # of a test that is about no split in particular


def suite(found: Found) -> Suite | str:
    """Return the data suite; a sentence where there is no receipt."""
    receipt = found.receipt
    if receipt is None:
        return NONE
    tests: Tests = receipt["tests"]
    cells = _cells(tests)
    splits = tuple(s for s in (*SPLITS, ANY) if any(s in row for row in cells.values()))
    limits = {k: v for k, v in receipt["limits"].items() if v not in (None, {}, [])}
    limits |= {f"own: {k}": v for k, v in limits.pop("own", {}).items()}
    return Suite(
        _about(found, receipt),
        splits,
        tuple(_row(test, row, splits) for test, row in cells.items()),
        tuple(_hints(tests)),
        tuple(_accepted(receipt)),
        tuple(receipt["removed"]),
        pairs(limits),
        tuple(k.replace("_", " ") for k, v in receipt["limits"].items() if v is None),
    )


def _about(found: Found, receipt: Json) -> str:
    n = len(receipt["tests"])
    data = receipt["data"]
    files = [_relative(data[split]["path"], found.root) for split in SPLITS if split in data]
    return f"{minute(receipt['made'])}: all {n:,} tests passed on {', '.join(files)}."


def _relative(path: str, root: Path) -> str:
    inside = Path(path).is_relative_to(root)
    return Path(path).relative_to(root).as_posix() if inside else Path(path).name


def _cells(tests: Tests) -> dict[str, dict[str, str]]:
    """Return, by test function and split, what the test said."""
    said: dict[str, dict[str, list[str]]] = {}
    for nodeid, notes in tests.items():
        test, _, parameter = nodeid.partition("[")
        row, given = said.setdefault(test, {}), parameter.rstrip("]")
        for note in notes:
            split = note["split"] or (given if given in SPLITS else ANY)
            row.setdefault(split, []).append(_said(note))
        if not notes:
            row.setdefault(given if given in SPLITS else ANY, [])
    return {
        test: {split: "; ".join(first(counted(every))) or "passed" for split, every in row.items()}
        for test, row in said.items()
    }


def _said(note: dict[str, Any]) -> str:
    if note.get("idle"):
        return "nothing to judge"
    if note.get("value") is not None:
        _, value, _, limit, _ = score_line(note)
        return value if note["limit"] is None else f"{value}, limit {limit}"
    if "found" in note:
        known = f", {len(note['accepted']):,} accepted" if note.get("accepted") else ""
        return f"{note['found']:,} in {note['n']:,}{known}"
    return "held"


def _row(test: str, row: dict[str, str], splits: tuple[str, ...]) -> CheckRow:
    return CheckRow(*spoken(test), tuple(row.get(split, "") for split in splits))


def _hints(tests: Tests) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what the checks noted beside, the first few of each, as the terminal does."""
    notes = [note for notes in tests.values() for note in notes]
    hints: dict[str, list[str]] = {}
    for (name, hint), splits in told(notes).items():
        hints.setdefault(f"{name} of {', '.join(splits)}" if splits else name, []).append(hint)
    yield from ((whose, few(said)) for whose, said in hints.items())


ACCEPTED = ("id", "check", "kind", "where", "evidence", "why", "who")


def _accepted(receipt: Json) -> Iterator[tuple[str, ...]]:
    for one in receipt.get("accepted", []):
        yield tuple(str(one.get(key, "")) for key in ACCEPTED)
