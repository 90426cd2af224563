"""Every text of a row, and a way to put another in its place.

The same texts, with the same words before them, as `data.personal.places.texts` yields: what the
checks read is what is put right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tunegate.preferences import REJECTED, rejected_in

from ..data.personal.places import _CONTEXT_LETTERS, _SKIPPED_KEYS, _safe_name

ReplaceText = Callable[[str, str, str], str]  # (path, before, text) -> the text to stand there


def map_texts(fields: dict[str, Any], replace_text: ReplaceText) -> dict[str, Any]:
    """Return the row with `replace_text` applied to each text; where no text changed, the row itself."""
    messages, context, question_context = [], "", ""  # asked: what stands before the last message
    for i, message in enumerate(fields["messages"]):
        question_context = context
        messages.append(
            _map_within(
                message, f"messages[{i}]", context, tail_recorder := _TailRecorder(replace_text)
            )
        )
        context = tail_recorder.tail or context
    contexts = (
        {REJECTED: question_context} if rejected_in(fields) else {}
    )  # it answers what the reply does
    changed = {
        name: messages
        if name == "messages"
        else _map_within(
            value, _safe_name(name), contexts.get(name, _name_context(name)), replace_text
        )
        for name, value in fields.items()
    }
    return fields if changed == fields else changed


def all_texts(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield every text of the rows."""
    collected: list[str] = []

    def collect_text(_path: str, _before: str, text: str) -> str:
        collected.append(text)
        return text

    for fields in rows:
        map_texts(fields, collect_text)
        yield from collected
        collected.clear()


class _TailRecorder:
    """Calls `put`, and keeps the end of the last text: the next message may answer to it."""

    def __init__(self, replace_text: ReplaceText) -> None:
        self._replace_text, self.tail = replace_text, ""

    def __call__(self, path: str, context: str, text: str) -> str:
        self.tail = text[-_CONTEXT_LETTERS:] + "\n"
        return self._replace_text(path, context, text)


def _name_context(name: str) -> str:
    return f"{name}: "[-_CONTEXT_LETTERS:]


def _map_within(value: Any, path: str, context: str, replace_text: ReplaceText) -> Any:
    if isinstance(value, str):
        return value if value.startswith("data:") else replace_text(path, context, value)
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
        return value if (new := replace_text(path, context, text)) == text else new
    if isinstance(value, dict):
        return {
            key: _map_key(key, inner, path, context, replace_text) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _map_within(inner, f"{path}[{i}]", context, replace_text)
            for i, inner in enumerate(value)
        ]
    return value


def _map_key(key: str, value: Any, path: str, context: str, replace_text: ReplaceText) -> Any:
    if key == "content":
        return _map_within(value, path, context, replace_text)
    if key in _SKIPPED_KEYS:
        return value
    return _map_within(value, f"{path}.{_safe_name(key)}", _name_context(key), replace_text)
