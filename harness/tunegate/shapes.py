"""The shapes a row may come in: chat messages, Alpaca, ShareGPT, prompt and completion,
preferences.

Each is turned into `messages`; whoever reads the file says so, once, in a hint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from . import preferences
from .strictjson import Unreadable
from .turns import (
    Fields,
    Message,
    assistant_message,
    describe_field,
    system_message,
    text_field,
    user_message,
    validate_messages,
)
from .turns import json_type as json_type  # said of rows elsewhere, too

SHAREGPT_ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "assistant": "assistant",
}


@dataclass(frozen=True)
class RowFormat:
    """How one shape is recognised (all of `needs` are there), and made into messages."""

    name: str
    required: frozenset[str]
    consumed: frozenset[str]  # every field that the messages are made of; the rest is kept as it is
    to_fields: Callable[[Mapping[str, Any]], Fields]  # `messages`, and what comes with them
    hint: str


def to_messages(value: Any) -> tuple[RowFormat, Fields]:
    """Return the shape of a row, and its fields with `messages`; raise Unreadable."""
    if not isinstance(value, dict):
        raise Unreadable(
            "shape", f"the row is {json_type(value)}; an object with `messages` is needed"
        )
    row_format = _format_of(value)
    if row_format is None:
        raise Unreadable("shape", _unknown_format(value))
    converted = row_format.to_fields(value)
    validate_messages(converted["messages"])
    if row_format is ROW_FORMATS[0]:
        preferences.check_rejected(value)
        return row_format, value
    rest = {key: item for key, item in value.items() if key not in row_format.consumed}
    for twin in sorted(converted.keys() & rest.keys()):
        raise Unreadable("shape", f"{twin} stands twice: in the row, and among its messages")
    return row_format, {**converted, **rest}


def _format_of(value: Fields) -> RowFormat | None:
    formats = [shape for shape in ROW_FORMATS if shape.required <= value.keys()]
    if TRL_PREFERENCES in formats and "messages" in value and value["chosen"] == value["messages"]:
        return TRL_PREFERENCES  # the preferred side stands there twice
    return next(iter(formats), None)


def _unknown_format(value: Fields) -> str:
    fields_text = ", ".join(ascii(key)[1:-1][:30] for key in list(value)[:6]) or "no fields at all"
    valid = "; ".join(" + ".join(sorted(shape.required)) for shape in ROW_FORMATS)
    return f"no `messages`; the row has {fields_text}; one of these is needed: {valid}"


def _exchange(prompt: str, reply: str) -> list[Message]:
    return [user_message(prompt), assistant_message(reply)]


def _chat_messages(fields: Mapping[str, Any]) -> Any:
    return fields["messages"]


def _alpaca_messages(fields: Mapping[str, Any]) -> list[Message]:
    parts = [text_field(fields, "instruction"), text_field(fields, "input", "")]
    earlier: list[Message] = []
    history = fields.get("history") or []
    for i, pair in enumerate(history if isinstance(history, list) else [history]):
        if not isinstance(pair, list) or [type(t) for t in pair] != [str, str]:
            raise Unreadable("shape", f"history[{i}] is not a pair of texts: question and answer")
        earlier += _exchange(*pair)
    prompt = "\n\n".join(part for part in parts if part)
    return [*system_message(fields), *earlier, *_exchange(prompt, text_field(fields, "output"))]


def _sharegpt_messages(fields: Mapping[str, Any]) -> list[Message]:
    turns = fields["conversations"]
    if not isinstance(turns, list):
        raise Unreadable("shape", f"conversations is {json_type(turns)}; a list is needed")
    return [*system_message(fields), *(_sharegpt_message(i, turn) for i, turn in enumerate(turns))]


def _sharegpt_message(i: int, turn: Any) -> Message:
    location = f"conversations[{i}]"
    if not isinstance(turn, dict):
        raise Unreadable("shape", f"{location} is {json_type(turn)}; an object is needed")
    if "role" in turn:
        return turn  # some exporters write messages under this name
    speaker = turn.get("from")
    if not isinstance(speaker, str) or speaker not in SHAREGPT_ROLES:
        valid = ", ".join(SHAREGPT_ROLES)
        raise Unreadable("shape", f"{location}.from is {ascii(speaker)[:40]}; one of: {valid}")
    if not isinstance(turn.get("value"), str):
        raise Unreadable("shape", f"{location}.value is {describe_field(turn, 'value')}")
    other_fields = {key: item for key, item in turn.items() if key not in ("from", "value")}
    return {"role": SHAREGPT_ROLES[speaker], "content": turn["value"], **other_fields}


def _prompt_completion_messages(fields: Mapping[str, Any]) -> list[Message]:
    prompt, completion = fields["prompt"], fields["completion"]
    if isinstance(prompt, list) and isinstance(completion, list):
        return [*system_message(fields), *prompt, *completion]
    return [
        *system_message(fields),
        *_exchange(text_field(fields, "prompt"), text_field(fields, "completion")),
    ]


def _make_format(
    name: str, needs: str, optional: str, messages: Callable[..., Any], note: str
) -> RowFormat:
    required = frozenset(needs.split())
    to_fields = partial(_only_messages, messages)
    return RowFormat(name, required, required | set(optional.split()), to_fields, note)


def _only_messages(messages: Callable[..., Any], fields: Mapping[str, Any]) -> Fields:
    return {"messages": messages(fields)}


TRL_PREFERENCES = RowFormat(
    "preferences (TRL)",
    frozenset({"chosen", "rejected"}),
    frozenset({"prompt", "chosen", "rejected", "system", "messages"}),
    preferences.from_trl_preferences,
    "prompt and chosen became messages",
)
ROW_FORMATS = (
    _make_format("chat", "messages", "", _chat_messages, ""),
    _make_format(
        "ShareGPT",
        "conversations",
        "system",
        _sharegpt_messages,
        "conversations (from, value) became messages",
    ),
    _make_format(
        "Alpaca",
        "instruction output",
        "input system history",
        _alpaca_messages,
        "instruction, input and output became messages",
    ),
    _make_format(
        "prompt and completion",
        "prompt completion",
        "system",
        _prompt_completion_messages,
        "prompt and completion became messages",
    ),
    RowFormat(
        "preferences (OpenAI)",
        frozenset({"input", "preferred_output", "non_preferred_output"}),
        frozenset({"input", "preferred_output", "non_preferred_output"}),
        preferences.from_openai_preferences,
        "input and preferred_output became messages, non_preferred_output became rejected",
    ),
    TRL_PREFERENCES,
)
