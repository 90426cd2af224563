"""How values read in a report: no path of this machine, plain numbers, times to the minute."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from ..protocols import Plan
from ..reason import private
from ..render import HINTS
from .page import Pairs

TESTS = 50  # that are named, of one file or without a score: one an example is thousands
HIDDEN = "***"
SECRET = {"key", "token", "secret", "password"}  # of a setting so called nothing is told
# An absolute path, or one from home: where a text begins, or behind what may stand before a value.
_PATH = re.compile(r"(^|file://|[=:,;\s])((?:/(?=[^/\s])|~/)[^?&]*)")


def local(text: str, root: Path) -> str:
    """Return a text with the project's own paths told from its root."""
    return text.replace(f"{root}/", "")


def named(spec: str, root: Path) -> str:
    """Return a model spec or a path; of each path outside the project only the last part is told.

    What is private in it (a password in a URL, a key) is not told: see `tunegate.private`.
    """
    return _public(_PATH.sub(lambda m: m[1] + PurePath(m[2]).name, local(spec, root)))


def setting(value: Any, root: Path, name: str = "") -> Any:
    """Return a setting or figure with neither secrets nor paths of this machine, however deep.

    Of a setting called a key, a token, a secret or a password nothing is told; a count of tokens
    is none of these.
    """
    if isinstance(value, dict):
        return {k: setting(v, root, name if _secret(name, v) else str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [setting(one, root, name) for one in value]
    if _secret(name, value):
        return HIDDEN
    return named(value, root) if isinstance(value, str) else value


def manner(plan: Plan) -> str:
    """Return what was done, as far as the settings say: `lora, dpo (trainer qlora)`."""
    told = dict.fromkeys(str(plan.config.get(k, plan.trainer)) for k in ("method", "objective"))
    what = ", ".join(name for name in told if name not in ("supervised", plan.trainer))
    return f"{what} (trainer {plan.trainer})" if what else plan.trainer


def _secret(name: str, value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return False
    if name.endswith(("_env", "_header")):  # where a key stands, not the key
        return False
    words = SECRET - {"token"} if isinstance(value, int | float) else SECRET
    return any(word in name.casefold() for word in words)


def _public(text: str) -> str:
    """Return a text up to the first thing in it that a finder of private things knows."""
    starts = [start for _, start in private(text)]
    return text[: min(starts)] + HIDDEN if starts else text


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


def counted(sayings: Iterable[str]) -> list[str]:
    """Return each saying once, with how often it is said."""
    return [s if n == 1 else f"{s} ({n:,} times)" for s, n in Counter(sayings).items()]


def first(sayings: Sequence[str], most: int = 10) -> list[str]:
    """Return the first sayings, and how many more there are."""
    more = len(sayings) - most
    return [*sayings[:most], f"{more:,} more"] if more > 0 else [*sayings]


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
    """Return the tests of each file, in their order; of many the first."""
    found: dict[str, list[str]] = {}
    for nodeid in nodeids:
        file, test = spoken(nodeid)
        found.setdefault(file, []).append(test)
    return {file: ", ".join(first(tests, TESTS)) for file, tests in found.items()}
