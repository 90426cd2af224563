"""How values read in a report: no path of this machine, plain numbers, times to the minute."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from ...gates.reason import find_private
from ...interfaces.trainer import Plan
from ..terminal import MAX_HINTS
from .page import Pairs

MAX_TESTS = 50  # that are named, of one file or without a score: one an example is thousands
HIDDEN = "***"
SECRET_WORDS = {"key", "token", "secret", "password"}  # of a setting so called nothing is told
# An absolute path, or one from home: where a text begins, or behind what may stand before a value.
_PATH = re.compile(r"(^|file://|[=:,;\s])((?:/(?=[^/\s])|~/)[^?&]*)")


def relative_paths(text: str, root: Path) -> str:
    """Return a text with the project's own paths told from its root."""
    return text.replace(f"{root}/", "")


def public_name(spec: str, root: Path) -> str:
    """Return a model spec or a path; of each path outside the project only the last part is told.

    What is private in it (a password in a URL, a key) is not told: see `tunegate.private`.
    """
    return _without_private(
        _PATH.sub(lambda m: m[1] + PurePath(m[2]).name, relative_paths(spec, root))
    )


def public_setting(value: Any, root: Path, name: str = "") -> Any:
    """Return a setting or figure with neither secrets nor paths of this machine, however deep.

    Of a setting called a key, a token, a secret or a password nothing is told; a count of tokens
    is none of these.
    """
    if isinstance(value, dict):
        return {
            k: public_setting(v, root, name if _is_secret(name, v) else str(k))
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [public_setting(item, root, name) for item in value]
    if _is_secret(name, value):
        return HIDDEN
    return public_name(value, root) if isinstance(value, str) else value


def training_method(plan: Plan) -> str:
    """Return what was done, as far as the settings say: `lora, dpo (trainer qlora)`."""
    methods = dict.fromkeys(str(plan.config.get(k, plan.trainer)) for k in ("method", "objective"))
    methods_text = ", ".join(name for name in methods if name not in ("supervised", plan.trainer))
    return f"{methods_text} (trainer {plan.trainer})" if methods_text else plan.trainer


def _is_secret(name: str, value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return False
    if name.endswith(("_env", "_header")):  # where a key stands, not the key
        return False
    secret_words = SECRET_WORDS - {"token"} if isinstance(value, int | float) else SECRET_WORDS
    return any(secret_word in name.casefold() for secret_word in secret_words)


def _without_private(text: str) -> str:
    """Return a text up to the first thing in it that a finder of private things knows."""
    starts = [start for _, start in find_private(text)]
    return text[: min(starts)] + HIDDEN if starts else text


def with_full_stop(text: str) -> str:
    """Return a sentence with the full stop that it may have already."""
    return text if text.endswith(".") else f"{text}."


def value_text(value: Any) -> str:
    """Return a setting or figure as text: 0.004, 3,000, none, yes; a list by its members."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(value_text, value)) or "none"
    return str(value)


def value_pairs(values: dict[str, Any]) -> Pairs:
    """Return named values as text, in their order."""
    return tuple((name.replace("_", " "), value_text(value)) for name, value in values.items())


def time_text(stamp: str) -> str:
    """Return an ISO time as `2026-11-23 15:20 UTC`; anything else as it is."""
    try:
        return datetime.fromisoformat(stamp).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return stamp


def count_repeats(texts: Iterable[str]) -> list[str]:
    """Return each saying once, with how often it is said."""
    return [s if n == 1 else f"{s} ({n:,} times)" for s, n in Counter(texts).items()]


def first_texts(texts: Sequence[str], max_texts: int = 10) -> list[str]:
    """Return the first sayings, and how many more there are."""
    more = len(texts) - max_texts
    return [*texts[:max_texts], f"{more:,} more"] if more > 0 else [*texts]


def first_hints(hints: Sequence[str]) -> tuple[str, ...]:
    """Return the first few hints of a check, as the terminal does: they can show text of rows."""
    more = len(hints) - MAX_HINTS
    return (*hints[:MAX_HINTS], f"{more:,} more like this") if more > 0 else tuple(hints)


def test_title(nodeid: str) -> tuple[str, str]:
    """`suites/data/test_size.py::test_enough_to_judge_by`: `size`, `enough to judge by`."""
    file, _, name = nodeid.partition("::")
    parts = (Path(file).stem, name)
    stem, test = (part.removeprefix("test_").replace("_", " ") for part in parts)
    return stem, test


def tests_by_file(nodeids: Iterable[str]) -> dict[str, str]:
    """Return the tests of each file, in their order; of many the first."""
    tests_by_file: dict[str, list[str]] = {}
    for nodeid in nodeids:
        file, test = test_title(nodeid)
        tests_by_file.setdefault(file, []).append(test)
    return {file: ", ".join(first_texts(tests, MAX_TESTS)) for file, tests in tests_by_file.items()}
