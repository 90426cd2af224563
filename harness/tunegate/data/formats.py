"""Preferences: a row with the reply that is preferred and one that is rejected.

As messages the row is its prompt and the preferred reply, so that all that reads messages reads
that conversation; the other reply stands in the field `rejected_reply`, a list of one message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..utils.strict_json import Unreadable

REJECTED = "rejected"
OPENAI_TOOL_KEYS = (
    "tools",
    "parallel_tool_calls",
)  # what OpenAI's `input` holds beside the messages


def rejected_in(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the rejected reply of a row's fields, a message; None where there is none."""
    value: Any = fields.get(REJECTED)
    if not _are_messages(value) or len(value) != 1:
        return None
    message: Mapping[str, Any] = value[0]
    return message


def check_rejected(fields: Mapping[str, Any]) -> None:
    """Raise Unreadable where a row of messages has a `rejected_reply` that is no single reply.

    What is no list of objects with a role is a field of the user's own, and not our affair.
    """
    if _are_messages(fields.get(REJECTED)):
        _single_reply(fields[REJECTED], REJECTED)


def _are_messages(value: Any) -> bool:
    not_empty = isinstance(value, list) and len(value) > 0
    return not_empty and all(isinstance(m, dict) and "role" in m for m in value)


def from_openai_preferences(fields: Mapping[str, Any]) -> Fields:
    """Turn `input`, `preferred_output` and `non_preferred_output` into messages and rejected.

    Source: https://platform.openai.com/docs/api-reference/fine-tuning/preference-input; of each
    output the assistant's last message alone is trained on.
    """
    source = fields["input"]
    if not isinstance(source, dict):
        message = "an object with `messages` is needed"
        raise Unreadable("shape", f"input is {describe_field(fields, 'input', message)}")
    validate_messages(source.get("messages"), "input.messages")
    names = ("preferred_output", "non_preferred_output")
    converted = _split_prompt(source["messages"], [fields[name] for name in names], names)
    # As in OpenAI's own example, `tools: []`: where there are none, how to call them says nothing.
    tool_fields = {k: v for k, v in source.items() if k in OPENAI_TOOL_KEYS and source.get("tools")}
    rest = {k: v for k, v in source.items() if k not in ("messages", *OPENAI_TOOL_KEYS)}
    return {**converted, **tool_fields, **({"input": rest} if rest else {})}


def from_trl_preferences(fields: Mapping[str, Any]) -> Fields:
    """Turn `prompt`, `chosen` and `rejected_reply` (texts, or lists of messages) into messages.

    Source: https://huggingface.co/docs/trl/dataset_formats. Where the prompt is no list, lists
    begin with it: with what they have in common; a text beside them is kept as a field.
    """
    sides = [fields["chosen"], fields[REJECTED]]
    if isinstance(sides[0], str) or isinstance(sides[1], str):
        reply_messages = [
            [assistant_message(text_field(fields, name))] for name in ("chosen", REJECTED)
        ]
        return _split_prompt(
            [*system_message(fields), *_prompt_messages(fields)],
            reply_messages,
            ("chosen", REJECTED),
        )
    prompt = fields.get("prompt")
    leading = [*system_message(fields), *(prompt if isinstance(prompt, list) else [])]
    converted = _split_prompt(leading, sides, ("chosen", REJECTED))
    return (
        converted if prompt is None or isinstance(prompt, list) else {**converted, "prompt": prompt}
    )


def _prompt_messages(fields: Mapping[str, Any]) -> list[Message]:
    prompt = fields.get("prompt")
    return prompt if isinstance(prompt, list) else [user_message(text_field(fields, "prompt"))]


def _split_prompt(leading: list[Message], sides: Sequence[Any], names: Sequence[str]) -> Fields:
    """Return messages and rejected; what both sides begin with belongs to the prompt."""
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


# [merged] What shapes are read with: messages and texts of a row, or one line that names the field.

Fields = dict[str, Any]
Message = dict[str, Any]


def json_type(value: Any) -> str:
    """Name the JSON type of a value: `an object`, `a text`, `null`."""
    names = {dict: "an object", list: "an array", str: "a text", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def describe_field(
    fields: Mapping[str, Any], name: str, requirement: str = "a text is needed"
) -> str:
    """Say what stands in a field instead of what is needed."""
    return f"{json_type(fields[name]) if name in fields else 'missing'}; {requirement}"


def text_field(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a field that must be a text; where it is null or missing, the default."""
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise Unreadable("shape", f"{name} is {describe_field(fields, name)}")
    return value


def validate_messages(messages: Any, name: str = "messages") -> None:
    """Raise Unreadable where a value is not a list of messages, one or more."""
    if not isinstance(messages, list) or not messages:
        description = "empty" if messages == [] else json_type(messages)
        raise Unreadable("shape", f"{name} is {description}; a list of role and content is needed")
    for i, message in enumerate(messages):
        if not isinstance(message, dict):
            raise Unreadable("shape", f"{name}[{i}] is {json_type(message)}; an object is needed")
        if not isinstance(message.get("role"), str):
            raise Unreadable("shape", f"{name}[{i}].role is {describe_field(message, 'role')}")
        if not isinstance(message.get("content"), str | list | None):
            raise Unreadable(
                "shape", f"{name}[{i}].content is {describe_field(message, 'content')}"
            )


def system_message(fields: Mapping[str, Any]) -> list[Message]:
    """Return the message of a field `system`, in a list; none where it is empty or missing."""
    system = text_field(fields, "system", "")
    return [{"role": "system", "content": system}] if system else []


def user_message(prompt: str) -> Message:
    """Return what the user says."""
    return {"role": "user", "content": prompt}


def assistant_message(reply: str) -> Message:
    """Return what the assistant says."""
    return {"role": "assistant", "content": reply}


# [merged] The shapes a row may come in: chat messages, Alpaca, ShareGPT, prompt and completion,
# preferences.
#
# Each is turned into `messages`; whoever reads the file says so, once, in a hint.

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
        check_rejected(value)
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
    from_trl_preferences,
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
        from_openai_preferences,
        "input and preferred_output became messages, non_preferred_output became rejected",
    ),
    TRL_PREFERENCES,
)
