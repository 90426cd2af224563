"""Every text of a row, and a way to put another in its place.

The same texts, with the same words before them, as `data.personal.places.texts` yields: what the
checks read is what is put right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tunegate.preferences import REJECTED, rejected_of

from ..data.personal.places import _CODES, _TAIL, _safe

Put = Callable[[str, str, str], str]  # (path, before, text) -> the text to stand there


def mapped(fields: dict[str, Any], put: Put) -> dict[str, Any]:
    """Return the row with `put` applied to each text; where no text changed, the row itself."""
    messages, before, asked = [], "", ""  # asked: what stands before the last message
    for i, message in enumerate(fields["messages"]):
        asked = before
        messages.append(_within(message, f"messages[{i}]", before, tailed := _Tail(put)))
        before = tailed.tail or before
    told = {REJECTED: asked} if rejected_of(fields) else {}  # it answers what the reply does
    changed = {
        name: messages
        if name == "messages"
        else _within(value, _safe(name), told.get(name, _named(name)), put)
        for name, value in fields.items()
    }
    return fields if changed == fields else changed


def texts(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield every text of the rows."""
    found: list[str] = []

    def noted(_path: str, _before: str, text: str) -> str:
        found.append(text)
        return text

    for fields in rows:
        mapped(fields, noted)
        yield from found
        found.clear()


class _Tail:
    """Calls `put`, and keeps the end of the last text: the next message may answer to it."""

    def __init__(self, put: Put) -> None:
        self._put, self.tail = put, ""

    def __call__(self, path: str, before: str, text: str) -> str:
        self.tail = text[-_TAIL:] + "\n"
        return self._put(path, before, text)


def _named(name: str) -> str:
    return f"{name}: "[-_TAIL:]


def _within(value: Any, path: str, before: str, put: Put) -> Any:
    if isinstance(value, str):
        return value if value.startswith("data:") else put(path, before, value)
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
        return value if (new := put(path, before, text)) == text else new
    if isinstance(value, dict):
        return {key: _of_key(key, inner, path, before, put) for key, inner in value.items()}
    if isinstance(value, list):
        return [_within(inner, f"{path}[{i}]", before, put) for i, inner in enumerate(value)]
    return value


def _of_key(key: str, value: Any, path: str, before: str, put: Put) -> Any:
    if key == "content":
        return _within(value, path, before, put)
    if key in _CODES:
        return value
    return _within(value, f"{path}.{_safe(key)}", _named(key), put)
