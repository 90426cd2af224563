"""How values read in a report: no path of this machine, plain numbers, times to the minute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..render import HINTS
from .page import Pairs


def local(text: str, root: Path) -> str:
    """Return a text with the project's own paths told from its root."""
    return text.replace(f"{root}/", "")


def named(spec: str, root: Path) -> str:
    """Return a model spec or a path; of one outside the project only the last part is told."""
    text = local(spec, root)
    scheme = "folder:" if text.startswith("folder:") else ""
    place, mark, query = text.removeprefix(scheme).partition("?")
    outside = Path(place).expanduser().is_absolute()
    return f"{scheme}{Path(place).name if outside else place}{mark}{query}"


def ended(text: str) -> str:
    """Return a sentence with the full stop that it may have already."""
    return text if text.endswith(".") else f"{text}."


def plain(value: Any) -> str:
    """Return a setting or figure as text: 0.004, 3,000, none, yes; a list by its members."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "none"
    return str(value)


def pairs(values: dict[str, Any]) -> Pairs:
    """Return named values as text, in their order."""
    return tuple((name.replace("_", " "), plain(value)) for name, value in values.items())


def minute(stamp: str) -> str:
    """Return an ISO time as `2026-11-23 15:20 UTC`; anything else as it is."""
    try:
        return datetime.fromisoformat(stamp).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return stamp


def few(hints: Sequence[str]) -> tuple[str, ...]:
    """Return the first few hints of a check, as the terminal does: they can show text of rows."""
    more = len(hints) - HINTS
    return (*hints[:HINTS], f"{more:,} more like this") if more > 0 else tuple(hints)


def spoken(nodeid: str) -> tuple[str, str]:
    """`suites/data/test_size.py::test_enough_to_judge_by`: `size`, `enough to judge by`."""
    file, _, name = nodeid.partition("::")
    parts = (Path(file).stem, name)
    stem, test = (part.removeprefix("test_").replace("_", " ") for part in parts)
    return stem, test


def by_file(nodeids: Iterable[str]) -> dict[str, str]:
    """Return the tests of each file, in their order."""
    found: dict[str, list[str]] = {}
    for nodeid in nodeids:
        file, test = spoken(nodeid)
        found.setdefault(file, []).append(test)
    return {file: ", ".join(tests) for file, tests in found.items()}
