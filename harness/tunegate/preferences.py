"""Preferences: a row with the reply that is preferred and one that is rejected.

As messages the row is its prompt and the preferred reply, so that all that reads messages reads
that conversation; the other reply stands in the field `rejected_reply`, a list of one message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from .dataset import Example

REJECTED = "rejected"
OPENAI_TOOL_KEYS = (
    "tools",
    "parallel_tool_calls",
)  # what OpenAI's `input` holds beside the messages


def rejected_reply(example: Example) -> Mapping[str, Any] | None:
    """Return the rejected reply of a row, a message; None where the row has no preference."""
    return rejected_in(example.fields)


def rejected_in(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the rejected reply of a row's fields, a message; None where there is none."""
    value: Any = fields.get(REJECTED)
    if not _are_messages(value) or len(value) != 1:
        return None
    message: Mapping[str, Any] = value[0]
    return message


def rejected_messages(example: Example) -> Sequence[Mapping[str, Any]]:
    """Return the conversation that ends on the rejected reply; empty without a preference."""
    reply = rejected_reply(example)
    return [*example.messages[:-1], reply] if reply is not None else []


def preference_sides(example: Example) -> list[Example]:
    """Return the row, and behind it the row that ends on the rejected reply, if it has one."""
    messages = rejected_messages(example)
    return [example, *([_with_messages(example, messages)] if messages else [])]


def _with_messages(example: Example, messages: Sequence[Mapping[str, Any]]) -> Example:
    return replace(example, fields={**example.fields, "messages": messages})


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
