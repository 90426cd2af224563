"""Converts the row formats of training data to chat messages.

ROW_FORMATS is the table of all formats; docs/data-formats.md shows a row of each. The messages of a
preference are its prompt and the preferred reply; the other one is in `rejected`, a list of one.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ...utils.strict_json import Unreadable
from . import pairs
from .chat import CHAT, CHAT_FORMATS, SHAREGPT_FORMATS
from .columns import Columns, is_mapped, map_columns, mapped_format
from .exports import EXPORT_FORMATS
from .logs import LOG_FORMATS, STORED, is_stored
from .row_format import REJECTED, Fields, RowFormat, json_type, validate_messages

# Rows with the fields of several formats have the first of these; the first is chat messages.
ROW_FORMATS = (
    CHAT, *CHAT_FORMATS, pairs.SHAREGPT_PREFERENCES, *SHAREGPT_FORMATS, *pairs.ASKED_FORMATS,
    *pairs.PREFERENCE_FORMATS, *LOG_FORMATS, *EXPORT_FORMATS, *pairs.PAIR_FORMATS,
)  # fmt: skip

_IS_ID = re.compile(r"(?:.*[_ -])?(?:idx?|index|uuid|f(?:nam|il)e|path|url|split|source)", re.I)
_IS_NUMBER = re.compile(r"\s*\d+(?:\.\d+)?\s*")


def to_messages(value: Any, columns: Columns | None = None) -> tuple[RowFormat, Fields]:
    """Recognise the format of a row and convert it to fields with `messages`.

    Fields that the messages are not made of are kept as they are. `columns` is the user's mapping:
    rows that have its fields are read by it, and others by their format. Raises Unreadable where
    the value is no object, has no known format, or its messages are malformed.
    """
    if isinstance(value, list) and [type(item) for item in value] == [str, str]:
        value = {"text": value[0], "label": value[1]}
    if not isinstance(value, dict):
        requirement = "an object with `messages` is needed"
        raise Unreadable("shape", f"the row is {json_type(value)}; {requirement}")
    if columns and is_mapped(value, columns):
        fields = map_columns(value, columns)
        validate_messages(fields["messages"])
        return mapped_format(columns), fields
    row_format = find_format(value)
    if row_format is None:
        mapping = tuple((columns or {}).items())
        raise Unreadable("shape", _unrecognised(tuple(value), columns_advice(value), mapping))
    converted = row_format.to_fields(value)
    validate_messages(converted["messages"])
    if row_format is CHAT or (
        row_format in CHAT_FORMATS
        and converted == value
        # 1.0 equals 1, but a service refuses it as a weight.
        and repr(converted["messages"]) == repr(value["messages"])
    ):
        # A `rejected` that does not hold messages is a field of the user's own: it stays as it is.
        if REJECTED in value and pairs.are_messages(value[REJECTED]):
            pairs.single_reply(value[REJECTED], REJECTED)
        return CHAT, value
    if row_format in CHAT_FORMATS:
        return row_format, converted
    consumed = row_format.required | row_format.optional
    rest = {key: item for key, item in value.items() if key not in consumed}
    for duplicate in sorted(converted.keys() & rest.keys()):
        raise Unreadable("shape", f"{duplicate} stands twice: in the row, and among its messages")
    return row_format, {**converted, **rest}


def find_format(row: Mapping[str, Any]) -> RowFormat | None:
    """Return the first format that a row has; None if it has none that is known."""
    formats = _formats_with(tuple(row))
    # Some TRL data sets repeat the preferred conversation in `messages`.
    if pairs.TRL_PREFERENCES in formats and row.get("messages", ()) == row["chosen"]:
        return pairs.TRL_PREFERENCES
    if STORED in formats and is_stored(row):
        return STORED
    return next((f for f in formats if f.accepts is None or f.accepts(row)), None)


@lru_cache(maxsize=1024)
def _formats_with(names: tuple[str, ...]) -> tuple[RowFormat, ...]:
    """Return the formats whose required fields are among these names."""
    return tuple(f for f in ROW_FORMATS if f.required <= {*names})


@lru_cache(maxsize=256)
def _unrecognised(names: tuple[str, ...], advice: str, columns: tuple[tuple[str, str], ...]) -> str:
    """Return one line for a row without a known format: the nearest one, and what to configure."""
    found = ", ".join(map(_shown, names[:6])) or "no fields at all"
    parts = [f"no `messages`; the row has {found}"]
    if columns:
        mapping = ", ".join(f"{field} = {_shown(column)}" for field, column in columns)
        parts.append(f"the configured columns ({mapping}) are not all among them")
    known = [f for f in ROW_FORMATS if f is CHAT or (f.hint and f.accepts is None)]
    nearest = max(known, key=lambda f: _nearness(f, names))
    if _nearness(nearest, names):
        needed = " + ".join(sorted(nearest.required))
        parts.append(f"the nearest known shape is {nearest.name}: {needed}")
    return "; ".join([*parts, advice])


def columns_advice(row: Mapping[str, Any]) -> str:
    """Return the configuration by which rows like this one are probably meant to be read."""
    if turns := [name for name, value in row.items() if pairs.are_messages(value)]:
        return f'write under [data]: columns = {{ messages = "{_shown(turns[0])}" }}'
    if any(_IS_NUMBER.fullmatch(name) or name.count(" ") > 5 for name in row):
        advice = "the first line is a row and no header: number the columns from 1, and write"
        return f'{advice} under [data]: columns = {{ prompt = "1", reply = "2" }}'
    own = {n: v for n, v in row.items() if n and not _IS_ID.fullmatch(n)} or row
    numbers = [n for n, v in own.items() if _IS_NUMBER.fullmatch(str(v)) or isinstance(v, bool)]
    flags = [f'"{_shown(n)}"' for n in numbers if pairs.flag_of(own[n]) is not None]
    texts = [_shown(n) for n, v in own.items() if isinstance(v, str) and n not in numbers]
    texts += [_shown(n) for n in numbers if texts and isinstance(own[n], str)]
    if texts and len(flags) > 1:
        reply = f"[{', '.join(flags)}]"
    elif len(texts) > 1:
        reply = f'"{texts[1]}"'
    elif texts and numbers:
        reply = f'"{_shown(numbers[0])}", reply_names = ["name of 0", "name of 1"]'
    else:
        return "a row needs what the model is given and what it must answer"
    return f'write under [data]: columns = {{ prompt = "{texts[0]}", reply = {reply} }}'


def _nearness(row_format: RowFormat, names: tuple[str, ...]) -> float:
    """Return the share of the fields of a format that a row has, 0..1; names may be misspelt."""
    from difflib import get_close_matches

    found = sum(bool(get_close_matches(field, names, 1, 0.8)) for field in row_format.required)
    return found / len(row_format.required)


def _shown(name: str) -> str:
    return ascii(name)[1:-1][:30]
