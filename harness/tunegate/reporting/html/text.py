"""Formats values for a report: plain numbers, times to the minute, no path outside the project."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from ...interfaces.trainer import Plan
from ...utils.masking import HIDDEN, find_private, is_secret
from ..terminal import MAX_HINTS

MAX_TESTS = 50  # that are listed of one file: with one test per example there are thousands
# A path from / or ~, at the start of a text or after a character that can precede a value.
_PATH = re.compile(r"(^|file://|[=:,;\s])((?:/(?=[^/\s])|~/)[^?&]*)")


def relative_paths(text: str, root: Path) -> str:
    """Return a text with the paths inside the project relative to its root."""
    return text.replace(f"{root}/", "")


def public_name(spec: str, root: Path) -> str:
    """Return a spec, or the last part of a path outside the project, cut before a private value."""
    text = _PATH.sub(lambda m: m[1] + PurePath(m[2]).name, relative_paths(spec, root))
    starts = [private.start for private in find_private(text)]
    return text[: min(starts)] + HIDDEN if starts else text


def public_setting(value: Any, root: Path, name: str = "") -> Any:
    """Return a setting or figure, however deeply nested, with its texts as `public_name` has them.

    What is named key, token, secret or password is hidden, except for a count of tokens.
    """
    if isinstance(value, dict):
        return {
            k: public_setting(v, root, name if is_secret(name, v) else str(k))
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [public_setting(item, root, name) for item in value]
    if is_secret(name, value):
        return HIDDEN
    return public_name(value, root) if isinstance(value, str) else value


def training_method(plan: Plan) -> str:
    """Return method, objective and trainer of a run: `lora, dpo (trainer qlora)`."""
    methods = dict.fromkeys(str(plan.config.get(k, plan.trainer)) for k in ("method", "objective"))
    methods_text = ", ".join(name for name in methods if name not in ("supervised", plan.trainer))
    return f"{methods_text} (trainer {plan.trainer})" if methods_text else plan.trainer


def with_full_stop(text: str) -> str:
    """Return a text that ends in a full stop, adding one where it is missing."""
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
    return str(value) if value else "none"


def value_pairs(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return named values as text, in their order."""
    return tuple((name.replace("_", " "), value_text(value)) for name, value in values.items())


def time_text(stamp: str) -> str:
    """Return an ISO time as `2026-11-23 15:20 UTC`; anything else as it is."""
    try:
        return datetime.fromisoformat(stamp).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return stamp


def first_texts(texts: Iterable[str], max_texts: int = 10, more: str = "more") -> list[str]:
    """Return the first texts, each once with its count, and one that says how many more follow."""
    distinct = [s if n == 1 else f"{s} ({n:,} times)" for s, n in Counter(texts).items()]
    hidden = len(distinct) - max_texts
    return [*distinct[:max_texts], f"{hidden:,} {more}"] if hidden > 0 else distinct


# As many hints of a check as the terminal shows: they can show text of rows.
first_hints = partial(first_texts, max_texts=MAX_HINTS, more="more like this")


def test_title(nodeid: str) -> tuple[str, str]:
    """`suites/data/test_size.py::test_enough_to_judge_by`: `size`, `enough to judge by`."""
    file, _, name = nodeid.partition("::")
    stem, test = (part.removeprefix("test_").replace("_", " ") for part in (Path(file).stem, name))
    return stem, test


def tests_by_file(nodeids: Iterable[str]) -> dict[str, str]:
    """Return by file the titles of its tests, the first MAX_TESTS of them, as one text."""
    titles: dict[str, list[str]] = {}
    for nodeid in nodeids:
        file, test = test_title(nodeid)
        titles.setdefault(file, []).append(test)
    return {file: ", ".join(first_texts(tests, MAX_TESTS)) for file, tests in titles.items()}
