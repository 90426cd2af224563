"""Where text stands in a row: every message, and every other field, however deep."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tunegate import Dataset, Example
from tunegate.checking.parallel import earlier_system_messages
from tunegate.data.dataset import rejected_reply
from tunegate.data.formats import REJECTED, rejected_in

_SAFE_NAME = re.compile(r"[^\W\d][\w\-]{0,40}")
_CONTEXT_LETTERS = 80  # characters of the message before, which may ask for the number that follows
_SKIPPED_KEYS = frozenset({"role", "type"})


@dataclass(frozen=True, slots=True)
class TextField:
    """A text of a row, its path (`messages[1]`, `meta.phone`) and what stands just before it.

    `about` is the text again where rows share it: what is found there is found in no one row.
    """

    path: str
    context: str
    text: str
    shared_text: str = ""


def text_fields(dataset: Dataset) -> Iterator[tuple[Example, TextField]]:
    """Yield every text of every row; a system prompt that rows share comes with the first only."""
    earlier = (p for message in earlier_system_messages(dataset) for p in _walk(message, "", ""))
    shared = {text_field.text for text_field in earlier}
    for example in dataset:
        for text_field in _fields_of_row(example):
            if _is_in_system_message(example, text_field.path):
                if text_field.text in shared:
                    continue
                shared.add(text_field.text)
                text_field = replace(text_field, shared_text=text_field.text)
            yield example, text_field


def _fields_of_row(example: Example) -> Iterator[TextField]:
    context = question_context = ""  # asked: what stands before the last message
    for i, message in enumerate(example.messages):
        last = question_context = context
        for text_field in _walk(message, f"messages[{i}]", context):
            yield text_field
            last = text_field.text[-_CONTEXT_LETTERS:] + "\n"
        context = last
    for name, value in example.fields.items():
        if name == REJECTED and rejected_reply(example):  # answers to what the preferred reply does
            yield from _walk(value, name, question_context)
        elif name != "messages":
            yield from _walk(value, _safe_name(name), f"{name}: "[-_CONTEXT_LETTERS:])


def _walk(value: Any, path: str, context: str) -> Iterator[TextField]:
    if isinstance(value, str):
        if not value.startswith("data:"):  # an embedded picture
            yield TextField(path, context, value)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield TextField(path, context, str(value))
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "content":
                yield from _walk(inner, path, context)
            elif key not in _SKIPPED_KEYS:
                yield from _walk(inner, f"{path}.{_safe_name(key)}", f"{key}: "[-_CONTEXT_LETTERS:])
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _walk(inner, f"{path}[{i}]", context)


def _safe_name(name: object) -> str:
    """A field's name, unless it could itself be personal data: findings print it."""
    return str(name) if _SAFE_NAME.fullmatch(str(name)) else "(field)"


def _is_in_system_message(example: Example, path: str) -> bool:
    match = re.match(r"messages\[(\d+)\]", path)
    return match is not None and example.messages[int(match[1])]["role"] in ("system", "developer")


# [merged] Every text of a row, and a way to put another in its place.
#
# The same texts, with the same words before them, as `data.personal.places.texts` yields: what the
# checks read is what is put right.

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
