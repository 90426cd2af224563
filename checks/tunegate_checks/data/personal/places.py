"""Where text stands in a row: every message, and every other field, however deep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tunegate import Dataset, Example
from tunegate.preferences import REJECTED, rejected
from tunegate.shards import told

_NAME = re.compile(r"[^\W\d][\w\-]{0,40}")
_TAIL = 80  # characters of the message before, which may ask for the number that follows
_CODES = frozenset({"role", "type"})


@dataclass(frozen=True, slots=True)
class Place:
    """A text of a row, its path (`messages[1]`, `meta.phone`) and what stands just before it.

    `about` is the text again where rows share it: what is found there is found in no one row.
    """

    path: str
    before: str
    text: str
    about: str = ""


def texts(dataset: Dataset) -> Iterator[tuple[Example, Place]]:
    """Yield every text of every row; a system prompt that rows share comes with the first only."""
    before = (p for message in told(dataset) for p in _within(message, "", ""))
    shared = {place.text for place in before}
    for example in dataset:
        for place in _of(example):
            if _is_system(example, place.path):
                if place.text in shared:
                    continue
                shared.add(place.text)
                place = replace(place, about=place.text)
            yield example, place


def _of(example: Example) -> Iterator[Place]:
    before = asked = ""  # asked: what stands before the last message
    for i, message in enumerate(example.messages):
        last = asked = before
        for place in _within(message, f"messages[{i}]", before):
            yield place
            last = place.text[-_TAIL:] + "\n"
        before = last
    for name, value in example.fields.items():
        if name == REJECTED and rejected(example):  # answers to what the preferred reply does
            yield from _within(value, name, asked)
        elif name != "messages":
            yield from _within(value, _safe(name), f"{name}: "[-_TAIL:])


def _within(value: Any, path: str, before: str) -> Iterator[Place]:
    if isinstance(value, str):
        if not value.startswith("data:"):  # an embedded picture
            yield Place(path, before, value)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield Place(path, before, str(value))
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "content":
                yield from _within(inner, path, before)
            elif key not in _CODES:
                yield from _within(inner, f"{path}.{_safe(key)}", f"{key}: "[-_TAIL:])
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _within(inner, f"{path}[{i}]", before)


def _safe(name: object) -> str:
    """A field's name, unless it could itself be personal data: findings print it."""
    return str(name) if _NAME.fullmatch(str(name)) else "(field)"


def _is_system(example: Example, path: str) -> bool:
    found = re.match(r"messages\[(\d+)\]", path)
    return found is not None and example.messages[int(found[1])]["role"] in ("system", "developer")
