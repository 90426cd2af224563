"""The data suite as the receipt has it: each test with what it said of each split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..dataset import SPLITS
from ..render import collect_hints, score_cells
from .gather import Json, RunFiles
from .page import CheckRow, Suite
from .words import count_repeats, first_hints, first_texts, test_title, time_text, value_pairs

OutcomesByTest = dict[str, list[dict[str, Any]]]
NO_RECEIPT = "There is no receipt: no gate of this project opened for this run."
NO_SPLIT = ""  # of a test that is about no split in particular


def suite_section(files: RunFiles) -> Suite | str:
    """Return the data suite; a sentence where there is no receipt."""
    receipt = files.receipt
    if receipt is None:
        return NO_RECEIPT
    tests: OutcomesByTest = receipt["tests"]
    cells = _cell_texts(tests)
    splits = tuple(s for s in (*SPLITS, NO_SPLIT) if any(s in row for row in cells.values()))
    limits = {k: v for k, v in receipt["limits"].items() if v not in (None, {}, [])}
    limits |= {f"own: {k}": v for k, v in limits.pop("own", {}).items()}
    return Suite(
        _suite_intro(files, receipt),
        splits,
        tuple(_check_row(test, row, splits) for test, row in cells.items()),
        tuple(_hint_groups(tests)),
        tuple(_accepted_rows(receipt)),
        tuple(receipt["removed"]),
        value_pairs(limits),
        tuple(k.replace("_", " ") for k, v in receipt["limits"].items() if v is None),
    )


def _suite_intro(run_files: RunFiles, receipt: Json) -> str:
    n = len(receipt["tests"])
    data = receipt["data"]
    files = [
        _relative_path(data[split]["path"], run_files.root) for split in SPLITS if split in data
    ]
    return f"{time_text(receipt['made'])}: all {n:,} tests passed on {', '.join(files)}."


def _relative_path(path: str, root: Path) -> str:
    inside = Path(path).is_relative_to(root)
    return Path(path).relative_to(root).as_posix() if inside else Path(path).name


def _cell_texts(tests: OutcomesByTest) -> dict[str, dict[str, str]]:
    """Return, by test function and split, what the test said."""
    texts: dict[str, dict[str, list[str]]] = {}
    for nodeid, outcomes in tests.items():
        test, _, parameter = nodeid.partition("[")
        row, parameter_split = texts.setdefault(test, {}), parameter.rstrip("]")
        for outcome in outcomes:
            split = outcome["split"] or (parameter_split if parameter_split in SPLITS else NO_SPLIT)
            row.setdefault(split, []).append(_outcome_text(outcome))
        if not outcomes:
            row.setdefault(parameter_split if parameter_split in SPLITS else NO_SPLIT, [])
    return {
        test: {
            split: "; ".join(first_texts(count_repeats(split_texts))) or "passed"
            for split, split_texts in row.items()
        }
        for test, row in texts.items()
    }


def _outcome_text(outcome: dict[str, Any]) -> str:
    if outcome.get("idle"):
        return "nothing to judge"
    if outcome.get("value") is not None:
        _, value, _, limit, _ = score_cells(outcome)
        return value if outcome["limit"] is None else f"{value}, limit {limit}"
    if "found" in outcome:
        accepted_text = (
            f", {len(outcome['accepted']):,} accepted" if outcome.get("accepted") else ""
        )
        return f"{outcome['found']:,} in {outcome['n']:,}{accepted_text}"
    return "held"


def _check_row(test: str, row: dict[str, str], splits: tuple[str, ...]) -> CheckRow:
    return CheckRow(*test_title(test), tuple(row.get(split, "") for split in splits))


def _hint_groups(tests: OutcomesByTest) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what the checks noted beside, the first few of each, as the terminal does."""
    outcomes = [outcome for outcomes in tests.values() for outcome in outcomes]
    hints: dict[str, list[str]] = {}
    for (name, hint), splits in collect_hints(outcomes).items():
        hints.setdefault(f"{name} of {', '.join(splits)}" if splits else name, []).append(hint)
    yield from ((check, first_hints(check_hints)) for check, check_hints in hints.items())


ACCEPTED_KEYS = ("id", "check", "kind", "where", "evidence", "why", "who")


def _accepted_rows(receipt: Json) -> Iterator[tuple[str, ...]]:
    for entry in receipt.get("accepted", []):
        yield tuple(str(entry.get(key, "")) for key in ACCEPTED_KEYS)
