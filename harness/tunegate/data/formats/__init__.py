"""Converts the row formats of training data to chat messages.

The formats are chat messages, ShareGPT, Alpaca, prompt and completion, and the preferences of
OpenAI and TRL. The messages of a preference are its prompt and the preferred reply; the field
`rejected`, a list of one message, holds the rejected reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..utils.strict_json import Unreadable

Fields = dict[str, Any]
Message = dict[str, Any]

REJECTED = "rejected"
OPENAI_TOOL_KEYS = ("tools", "parallel_tool_calls")  # stand in OpenAI's `input`, with `messages`
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
    """How rows of one format are recognised and converted to messages."""

    name: str
    required: frozenset[str]  # fields that a row of this format has
    optional: frozenset[str]  # more fields that the messages are made of
    to_fields: Callable[[Mapping[str, Any]], Fields]  # returns `messages`, and `rejected` if any
    hint: str  # what the conversion did, for the report


def to_messages(value: Any) -> tuple[RowFormat, Fields]:
    """Recognise the format of a JSON value and convert it to fields with `messages`.

    Fields that the messages are not made of are kept as they are.

    Raises:
        Unreadable: The value is no object, has no known format, or its messages are malformed.
    """
    if not isinstance(value, dict):
        requirement = "an object with `messages` is needed"
        raise Unreadable("shape", f"the row is {json_type(value)}; {requirement}")
    formats = [f for f in ROW_FORMATS if f.required <= value.keys()]
    if not formats:
        names = ", ".join(ascii(key)[1:-1][:30] for key in list(value)[:6]) or "no fields at all"
        valid = "; ".join(" + ".join(sorted(f.required)) for f in ROW_FORMATS)
        message = f"no `messages`; the row has {names}; one of these is needed: {valid}"
        raise Unreadable("shape", message)
    row_format = formats[0]
    # Some TRL data sets repeat the preferred conversation in `messages`.
    if TRL_PREFERENCES in formats and "messages" in value and value["chosen"] == value["messages"]:
        row_format = TRL_PREFERENCES
    converted = row_format.to_fields(value)
    validate_messages(converted["messages"])
    if row_format is ROW_FORMATS[0]:
        # A `rejected` that does not hold messages is a field of the user's own: it stays as it is.
        if REJECTED in value and _are_messages(value[REJECTED]):
            _single_reply(value[REJECTED], REJECTED)
        return row_format, value
    consumed = row_format.required | row_format.optional
    rest = {key: item for key, item in value.items() if key not in consumed}
    for duplicate in sorted(converted.keys() & rest.keys()):
        raise Unreadable("shape", f"{duplicate} stands twice: in the row, and among its messages")
    return row_format, {**converted, **rest}


def validate_messages(messages: Any, name: str = "messages") -> None:
    """Raise Unreadable if a value is not a non-empty list of messages; `name` is its field."""
    if not isinstance(messages, list) or not messages:
        description = "empty" if messages == [] else json_type(messages)
        raise Unreadable("shape", f"{name} is {description}; a list of role and content is needed")
    for i, message in enumerate(messages):
        if not isinstance(message, dict):
            raise Unreadable("shape", f"{name}[{i}] is {json_type(message)}; an object is needed")
        if not isinstance(message.get("role"), str):
            raise Unreadable("shape", f"{name}[{i}].role is {describe_field(message, 'role')}")
        if not isinstance(message.get("content"), str | list | None):
            description = describe_field(message, "content")
            raise Unreadable("shape", f"{name}[{i}].content is {description}")


def rejected_in(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the message of the rejected reply in a row's fields; None if there is none."""
    value: Any = fields.get(REJECTED)
    if not _are_messages(value) or len(value) != 1:
        return None
    message: Mapping[str, Any] = value[0]
    return message


def _are_messages(value: Any) -> bool:
    not_empty = isinstance(value, list) and len(value) > 0
    return not_empty and all(isinstance(m, dict) and "role" in m for m in value)


def json_type(value: Any) -> str:
    """Name the JSON type of a value: `an object`, `a text`, `null`."""
    names = {dict: "an object", list: "an array", str: "a text", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def describe_field(
    fields: Mapping[str, Any], name: str, requirement: str = "a text is needed"
) -> str:
    """Return the JSON type of a field, or `missing`, followed by what the field must be."""
    return f"{json_type(fields[name]) if name in fields else 'missing'}; {requirement}"


def text_field(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a field that must be a text; if it is null or missing, the default if one is given."""
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise Unreadable("shape", f"{name} is {describe_field(fields, name)}")
    return value


def system_message(fields: Mapping[str, Any]) -> list[Message]:
    """Return a list of one message, made of the field `system`; empty if there is no text in it."""
    system = text_field(fields, "system", "")
    return [{"role": "system", "content": system}] if system else []


def user_message(prompt: str) -> Message:
    """Return a message of the user."""
    return {"role": "user", "content": prompt}


def assistant_message(reply: str) -> Message:
    """Return a message of the assistant."""
    return {"role": "assistant", "content": reply}


def from_sharegpt(fields: Mapping[str, Any]) -> Fields:
    """Convert `conversations`, a list of turns with `from` and `value`, to messages."""
    turns = fields["conversations"]
    if not isinstance(turns, list):
        raise Unreadable("shape", f"conversations is {json_type(turns)}; a list is needed")
    messages = system_message(fields)
    for i, turn in enumerate(turns):
        location = f"conversations[{i}]"
        if not isinstance(turn, dict):
            raise Unreadable("shape", f"{location} is {json_type(turn)}; an object is needed")
        if "role" in turn:  # some exporters write messages under this name
            messages.append(turn)
            continue
        speaker = turn.get("from")
        if not isinstance(speaker, str) or speaker not in SHAREGPT_ROLES:
            valid = ", ".join(SHAREGPT_ROLES)
            raise Unreadable("shape", f"{location}.from is {ascii(speaker)[:40]}; one of: {valid}")
        if not isinstance(turn.get("value"), str):
            raise Unreadable("shape", f"{location}.value is {describe_field(turn, 'value')}")
        rest = {key: item for key, item in turn.items() if key not in ("from", "value")}
        messages.append({"role": SHAREGPT_ROLES[speaker], "content": turn["value"], **rest})
    return {"messages": messages}


def from_alpaca(fields: Mapping[str, Any]) -> Fields:
    """Convert `instruction`, `input`, `output` and `history` (pairs of texts) to messages."""
    parts = [text_field(fields, "instruction"), text_field(fields, "input", "")]
    earlier: list[Message] = []
    history = fields.get("history") or []
    for i, pair in enumerate(history if isinstance(history, list) else [history]):
        if not isinstance(pair, list) or [type(text) for text in pair] != [str, str]:
            raise Unreadable("shape", f"history[{i}] is not a pair of texts: question and answer")
        earlier += [user_message(pair[0]), assistant_message(pair[1])]
    messages = [*system_message(fields), *earlier]
    messages.append(user_message("\n\n".join(part for part in parts if part)))
    return {"messages": [*messages, assistant_message(text_field(fields, "output"))]}


def from_prompt_completion(fields: Mapping[str, Any]) -> Fields:
    """Convert `prompt` and `completion`, two texts or two lists of messages, to messages."""
    prompt, completion = fields["prompt"], fields["completion"]
    messages = system_message(fields)
    if isinstance(prompt, list) and isinstance(completion, list):
        return {"messages": [*messages, *prompt, *completion]}
    messages.append(user_message(text_field(fields, "prompt")))
    return {"messages": [*messages, assistant_message(text_field(fields, "completion"))]}


def from_openai_preferences(fields: Mapping[str, Any]) -> Fields:
    """Convert `input`, `preferred_output` and `non_preferred_output` to messages and `rejected`.

    Source: https://platform.openai.com/docs/api-reference/fine-tuning/preference-input. OpenAI
    trains on the last assistant message of each output only.
    """
    source = fields["input"]
    if not isinstance(source, dict):
        message = "an object with `messages` is needed"
        raise Unreadable("shape", f"input is {describe_field(fields, 'input', message)}")
    validate_messages(source.get("messages"), "input.messages")
    names = ("preferred_output", "non_preferred_output")
    converted = _split_prompt(source["messages"], [fields[name] for name in names], names)
    # OpenAI's own example has `tools: []`. With no tools, `parallel_tool_calls` has no meaning.
    tool_fields = {k: v for k, v in source.items() if k in OPENAI_TOOL_KEYS and source.get("tools")}
    rest = {k: v for k, v in source.items() if k not in ("messages", *OPENAI_TOOL_KEYS)}
    return {**converted, **tool_fields, **({"input": rest} if rest else {})}


def from_trl_preferences(fields: Mapping[str, Any]) -> Fields:
    """Convert `prompt`, `chosen` and `rejected`, texts or lists of messages, to messages.

    Source: https://huggingface.co/docs/trl/dataset_formats. If `prompt` is no list, the messages
    that both lists begin with are the prompt; a text in `prompt` is then kept as a field.
    """
    names = ("chosen", REJECTED)
    sides = [fields[name] for name in names]
    prompt = fields.get("prompt")
    if any(isinstance(side, str) for side in sides):
        sides = [[assistant_message(text_field(fields, name))] for name in names]
        leading = system_message(fields)
        if not isinstance(prompt, list):
            prompt = [user_message(text_field(fields, "prompt"))]
        return _split_prompt([*leading, *prompt], sides, names)
    if isinstance(prompt, list):
        return _split_prompt([*system_message(fields), *prompt], sides, names)
    converted = _split_prompt(system_message(fields), sides, names)
    return converted if prompt is None else {**converted, "prompt": prompt}


def _split_prompt(leading: list[Message], sides: Sequence[Any], names: Sequence[str]) -> Fields:
    """Return `messages` and `rejected` of a preference.

    Args:
        leading: The messages before both sides.
        sides: The preferred messages, and the rejected ones. The messages that both begin with
            are added to the prompt; one reply must be left on each side.
        names: The field of each side, for error messages.
    """
    for name, side in zip(names, sides, strict=True):
        validate_messages(side, name)
    common = 0
    while common < min(map(len, sides)) - 1 and sides[0][common] == sides[1][common]:
        common += 1
    preferred, other = (_single_reply(s[common:], n) for s, n in zip(sides, names, strict=True))
    return {"messages": [*leading, *sides[0][:common], preferred], REJECTED: [other]}


def _single_reply(messages: list[Message], name: str) -> Message:
    validate_messages(messages, name)
    if len(messages) > 1:
        message = "one reply is needed, and before it only what both sides have in common"
        raise Unreadable("shape", f"{name} has {len(messages)} messages of its own; {message}")
    return messages[0]


TRL_PREFERENCES = RowFormat(
    "preferences (TRL)",
    frozenset({"chosen", "rejected"}),
    frozenset({"prompt", "system", "messages"}),
    from_trl_preferences,
    "prompt and chosen became messages",
)
# Rows with the fields of several formats have the first of these; the first is chat messages.
ROW_FORMATS = (
    RowFormat("chat", frozenset({"messages"}), frozenset(), dict, ""),
    RowFormat(
        "ShareGPT",
        frozenset({"conversations"}),
        frozenset({"system"}),
        from_sharegpt,
        "conversations (from, value) became messages",
    ),
    RowFormat(
        "Alpaca",
        frozenset({"instruction", "output"}),
        frozenset({"input", "system", "history"}),
        from_alpaca,
        "instruction, input and output became messages",
    ),
    RowFormat(
        "prompt and completion",
        frozenset({"prompt", "completion"}),
        frozenset({"system"}),
        from_prompt_completion,
        "prompt and completion became messages",
    ),
    RowFormat(
        "preferences (OpenAI)",
        frozenset({"input", "preferred_output", "non_preferred_output"}),
        frozenset(),
        from_openai_preferences,
        "input and preferred_output became messages, non_preferred_output became rejected",
    ),
    TRL_PREFERENCES,
)
