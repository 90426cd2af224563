"""The mapping of a file's columns or fields to the parts of a row, as the user wrote it.

columns = { prompt = "text", reply = "category" }
columns = { prompt = "text", reply = "label", reply_names = ["negative", "positive"] }
columns = { prompt = "text", reply = ["obscene", "insult"] }   # 0 or 1 in each: its classes
columns = { prompt = "1", reply = "2" }   # CSV without a header: numbers from 1
columns = { messages = "dialogue" }
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ...utils.strict_json import Unreadable, parse_json_text
from .pairs import flag_of, joined_names, label_name
from .row_format import REJECTED, Fields, RowFormat, assistant_message, json_type, openai_messages

Columns = Mapping[str, str]  # by field

REQUIRED_FIELDS = ("prompt", "reply")
REPLY_NAMES = "reply_names"  # the names of the numbers in the column `reply`: no column itself
ROLE_OF_FIELD = {"system": "system", "prompt": "user", "reply": "assistant"}
COLUMNS_EXAMPLE = 'write under [data]: columns = { prompt = "text", reply = "category" }'


def missing_columns(columns: Columns) -> list[str]:
    """Return the fields that a mapping must have and lacks: `messages`, or prompt and reply."""
    if columns.get("messages"):
        return []
    return [field for field in REQUIRED_FIELDS if not columns.get(field)]


def mapped_columns(columns: Columns) -> list[tuple[str, str]]:
    """Return each field of a mapping with its column; `reply` with each of several."""
    pairs = []
    for field, column in columns.items():
        several = parse_json_text(column) if field == "reply" else column
        named = several if isinstance(several, list) else [column]
        pairs += [(field, str(one)) for one in named if field != REPLY_NAMES]
    return pairs


def reply_names(columns: Columns) -> tuple[str, ...]:
    """Return the names of the numbers in the column `reply`, a list as JSON text in the mapping."""
    names = parse_json_text(columns.get(REPLY_NAMES, ""))
    return tuple(map(str, names if isinstance(names, list) else names.split(",") if names else ()))


def is_mapped(value: Mapping[str, Any], columns: Columns) -> bool:
    """Tell whether a row has the fields that the mapping makes its messages of."""
    needed = ("messages",) if columns.get("messages") else REQUIRED_FIELDS
    if missing_columns(columns):
        return False
    return all(column in value for field, column in mapped_columns(columns) if field in needed)


def map_columns(record: Mapping[str, Any], columns: Columns) -> Fields:
    """Return the fields of a record with `messages`; columns that are not mapped stay as fields."""
    pairs = mapped_columns(columns)
    field_of_column = {column: field for field, column in pairs}
    message_fields = (*ROLE_OF_FIELD, REJECTED, "messages")
    kept = {c: v for c, v in record.items() if field_of_column.get(c) not in message_fields}
    fields = {field_of_column.get(column, column): value for column, value in kept.items()}
    if "messages" in columns:
        turns = parse_json_text(record[columns["messages"]])
        messages = openai_messages(turns) if isinstance(turns, list) else turns
    else:
        classes = [column for field, column in pairs if field == "reply"]
        given = [field for field in ("system", "prompt") if field in columns]
        texts = {field: text_of_column(columns[field], record) for field in given}
        if classes == [columns["reply"]]:
            texts["reply"] = text_of_column(classes[0], record, reply_names(columns))
        else:
            flags = {column: flag_of(record[column]) for column in classes}
            if unmarked := [column for column, flag in flags.items() if flag is None]:
                found = f"{unmarked[0]} is {str(record[unmarked[0]])[:30]!a}; 0 or 1 is needed"
                raise Unreadable("shape", f"{found}, as it names a class of the reply")
            texts["reply"] = joined_names([column for column, flag in flags.items() if flag])
        messages = [{"role": ROLE_OF_FIELD[f], "content": text} for f, text in texts.items()]
    if REJECTED in columns:
        fields[REJECTED] = [assistant_message(text_of_column(columns[REJECTED], record))]
    return {**fields, "messages": messages}


def text_of_column(column: str, record: Mapping[str, Any], names: tuple[str, ...] = ()) -> str:
    """Return a column's text, with `names` its class by number; raises Unreadable without one."""
    value = record[column]
    if names and (name := label_name(value, names)) is not None:
        return name
    if names and not isinstance(value, bool) and isinstance(value, int):
        raise Unreadable("shape", f"{column} is {value}; {len(names)} names are given, from 0")
    if not isinstance(value, str):
        raise Unreadable("shape", f"{column} is {json_type(value)}; a text is needed")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unreadable("encoding", f"{column} is not UTF-8; save the file as UTF-8") from None
    return value


def mapped_format(columns: Columns) -> RowFormat:
    """Return the format of rows that are read by a mapping."""
    return _format_of(tuple(mapped_columns(columns)))


@lru_cache(maxsize=16)  # it is asked for each row
def _format_of(pairs: tuple[tuple[str, str], ...]) -> RowFormat:
    fields = dict.fromkeys(field for field, _ in pairs)
    columns = {field: ", ".join(c for f, c in pairs if f == field) for field in fields}
    mapping = ", ".join(f"{named} as {field}" for field, named in columns.items())
    return RowFormat("columns", "", "", dict, mapping)
