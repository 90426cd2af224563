"""The texts of a row: every message and every other field, at any depth, to read or to replace.

`map_texts` walks a row and replaces texts; `iter_texts` uses the same walk to read them, so that
`tunegate fix` changes exactly the texts that the checks have read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tunegate import Dataset, Example
from tunegate.checking.parallel import earlier_system_messages
from tunegate.data.formats import REJECTED, rejected_in

_SAFE_NAME = re.compile(r"[^\W\d][\w\-]{0,40}")
_CONTEXT_LETTERS = 80  # characters of the message before, which may ask for the number that follows
_SKIPPED_KEYS = frozenset({"role", "type"})

# (path, context, text) -> the new text; `context` is what stands just before the text: the end of
# the message before, or the name of the field.
ReplaceText = Callable[[str, str, str], str]


@dataclass(frozen=True, slots=True)
class TextField:
    """A text of a row, its path (`messages[1]`, `meta.phone`) and its context (see `ReplaceText`).

    `shared_text` repeats the text of a system prompt, which many rows have in common: a finding in
    it belongs to the text and not to one row. It is "" for other texts.
    """

    path: str
    context: str
    text: str
    shared_text: str = ""


def text_fields(dataset: Dataset) -> Iterator[tuple[Example, TextField]]:
    """Yield every text of every row; the text of a system message only where it stands first."""
    earlier_messages = earlier_system_messages(dataset)
    known_texts = set(all_texts({"messages": [message]} for message in earlier_messages))
    for example in dataset:
        system_paths = tuple(
            f"messages[{i}]"
            for i, message in enumerate(example.messages)
            if message["role"] in ("system", "developer")
        )
        for path, context, text in iter_texts(example.fields):
            if not path.startswith(system_paths):
                yield example, TextField(path, context, text)
            elif text not in known_texts:
                known_texts.add(text)
                yield example, TextField(path, context, text, shared_text=text)


def all_texts(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield every text of the rows."""
    return (text for fields in rows for _, _, text in iter_texts(fields))


def iter_texts(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield path, context and text of every text of a row, messages first."""
    texts: list[tuple[str, str, str]] = []

    def collect(path: str, context: str, text: str) -> str:
        texts.append((path, context, text))
        return text

    map_texts(dict(fields), collect)
    yield from texts


def map_texts(fields: dict[str, Any], replace_text: ReplaceText) -> dict[str, Any]:
    """Return the row with `replace_text` applied to each text; unchanged, the same object.

    The context of a message is the last text of the message before; the context of a rejected
    reply is that of the preferred reply, since both answer the same question.
    """
    messages, context, last_text_end = [], "", ""

    def replace_and_remember(path: str, context: str, text: str) -> str:
        nonlocal last_text_end
        last_text_end = text[-_CONTEXT_LETTERS:] + "\n"
        return replace_text(path, context, text)

    for i, message in enumerate(fields["messages"]):
        context = last_text_end
        messages.append(_map_value(message, f"messages[{i}]", context, replace_and_remember))
    changed: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "messages":
            changed[name] = messages
        elif name == REJECTED and rejected_in(fields):
            changed[name] = _map_value(value, name, context, replace_text)
        else:
            changed[name] = _map_value(value, *_name_and_context(name), replace_text)
    return fields if changed == fields else changed


def _map_value(value: Any, path: str, context: str, replace_text: ReplaceText) -> Any:
    if isinstance(value, str):
        is_embedded_file = value.startswith("data:")  # such as a picture in base64
        return value if is_embedded_file else replace_text(path, context, value)
    if isinstance(value, int) and not isinstance(value, bool):
        new_text = replace_text(path, context, str(value))
        return value if new_text == str(value) else new_text
    if isinstance(value, dict):
        changed: dict[Any, Any] = {}
        for key, inner in value.items():
            if key in _SKIPPED_KEYS:
                changed[key] = inner
            elif key == "content":
                changed[key] = _map_value(inner, path, context, replace_text)
            else:
                name, name_context = _name_and_context(key)
                changed[key] = _map_value(inner, f"{path}.{name}", name_context, replace_text)
        return changed
    if isinstance(value, list | tuple):
        return type(value)(
            _map_value(inner, f"{path}[{i}]", context, replace_text)
            for i, inner in enumerate(value)
        )
    return value


def _name_and_context(name: object) -> tuple[str, str]:
    """Return a field's name as findings print it, and the context that it gives to its text.

    A name that could itself be personal data is printed as "(field)".
    """
    printed_name = str(name) if _SAFE_NAME.fullmatch(str(name)) else "(field)"
    return printed_name, f"{name}: "[-_CONTEXT_LETTERS:]
