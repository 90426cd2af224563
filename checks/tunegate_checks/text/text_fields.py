"""The texts of a row, at any depth: `map_texts` replaces what `iter_texts` yields to the checks."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from tunegate import Dataset, Example
from tunegate.data.formats.pairs import rejected_in
from tunegate.data.formats.row_format import REJECTED, Fields

_SAFE_NAME = re.compile(r"[^\W\d][\w\-]{0,40}")
_CONTEXT_LETTERS = 80  # characters of the message before, which may ask for the number that follows
SURROGATES = "surrogates"  # the field of a row that lists the values `tunegate fix` invented
_SKIPPED_KEYS = frozenset({"role", "type"})


class TextField(NamedTuple):
    """A text of a row, or a number as text."""

    path: str  # `messages[1]`, `meta.phone`
    context: str  # what stands just before it: the end of the message before, or the field's name
    text: str
    holder: Any  # the object or array that has it under `key`, a name or an index
    key: Any
    shared_text: str = ""  # that of a system prompt: a finding belongs to it, not to a row


def text_fields(dataset: Dataset) -> Iterator[tuple[Example, TextField]]:
    """Yield every text of every row; the text of a system message only where it stands first."""
    earlier_messages = [{"messages": [message]} for message in dataset.earlier_messages]
    known_texts = {field.text for fields in earlier_messages for field in iter_texts(fields)}
    for example in dataset:
        places = [i for i, m in enumerate(example.messages) if m["role"] in ("system", "developer")]
        system_paths = tuple(f"messages[{i}]" for i in places)
        for field in iter_texts(example.fields):
            if not field.path.startswith(system_paths):
                yield example, field
            elif field.text not in known_texts:
                known_texts.add(field.text)
                yield example, field._replace(shared_text=field.text)


def iter_texts(fields: Mapping[str, Any]) -> Iterator[TextField]:
    """Yield every text of a row, messages first."""
    context = last_text_end = ""
    for i in range(len(fields["messages"])):
        context = last_text_end
        for field in _texts_of(fields["messages"], i, f"messages[{i}]", context):
            last_text_end = field.text[-_CONTEXT_LETTERS:] + "\n"
            yield field
    for name in fields:
        # A rejected reply has the context of the preferred one: both answer the same question.
        if name == REJECTED and rejected_in(fields):
            yield from _texts_of(fields, name, name, context)
        elif name != "messages":
            yield from _texts_of(fields, name, *_name_and_context(name))


def _texts_of(holder: Any, key: Any, path: str, context: str) -> Iterator[TextField]:
    """Yield every text of `holder[key]`."""
    value = holder[key]
    if isinstance(value, str | int) and not isinstance(value, bool):
        if not str(value).startswith("data:"):  # an embedded file, such as a picture in base64
            yield TextField(path, context, str(value), holder, key)
    elif isinstance(value, dict):
        for name in value:
            if name == "content":
                yield from _texts_of(value, name, path, context)
            elif name not in _SKIPPED_KEYS:
                printed_name, name_context = _name_and_context(name)
                yield from _texts_of(value, name, f"{path}.{printed_name}", name_context)
    elif isinstance(value, list | tuple):
        for i in range(len(value)):
            yield from _texts_of(value, i, f"{path}[{i}]", context)


def _name_and_context(name: object) -> tuple[str, str]:
    """Return a field's name as findings print it, and the context that it gives to its text."""
    printed_name = str(name) if _SAFE_NAME.fullmatch(str(name)) else "(field)"  # may be private
    return printed_name, f"{name}: "[-_CONTEXT_LETTERS:]


def map_texts(fields: Fields, replace_text: Callable[[str, str, str], str]) -> Fields:
    """Return the row with each text replaced; unchanged, the same object."""
    found = list(iter_texts(fields))
    new_texts = [replace_text(field.path, field.context, field.text) for field in found]
    if new_texts == [field.text for field in found]:
        return fields
    changed = deepcopy(fields)
    for field, new_text in zip(list(iter_texts(changed)), new_texts, strict=True):
        if new_text != field.text:
            is_number = isinstance(field.holder[field.key], int) and new_text.isdecimal()
            field.holder[field.key] = int(new_text) if is_number else new_text
    return changed


def squeeze(value: str) -> str:
    """Return the letters and digits of a value, small and without accents."""
    text = value if value.isascii() else unicodedata.normalize("NFKD", value)
    return "".join([c for c in text if c.isalnum()]).lower()


def surrogates_of(fields: Mapping[str, Any]) -> set[str]:
    """Return the letters and digits of the values that a row lists as invented."""
    listed = fields.get(SURROGATES)
    return {squeeze(v) for v in listed if isinstance(v, str)} if isinstance(listed, list) else set()
