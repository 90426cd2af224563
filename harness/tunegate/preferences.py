"""Preferences: a row with the reply that is preferred and one that is rejected.

As messages the row is its prompt and the preferred reply, so that all that reads messages reads
that conversation; the other reply stands in the field `rejected`, a list of one message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .strictjson import Unreadable
from .turns import Fields, Message, asked, found, must_be_messages, opening, replied, text

if TYPE_CHECKING:
    from .dataset import Example

REJECTED = "rejected"
TOLD = ("tools", "parallel_tool_calls")  # what OpenAI's `input` holds beside the messages


def rejected(example: Example) -> Mapping[str, Any] | None:
    """Return the rejected reply of a row, a message; None where the row has no preference."""
    return rejected_of(example.fields)


def rejected_of(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the rejected reply of a row's fields, a message; None where there is none."""
    value: Any = fields.get(REJECTED)
    if not _are_messages(value) or len(value) != 1:
        return None
    message: Mapping[str, Any] = value[0]
    return message


def counterpart(example: Example) -> Sequence[Mapping[str, Any]]:
    """Return the conversation that ends on the rejected reply; empty without a preference."""
    other = rejected(example)
    return [*example.messages[:-1], other] if other is not None else []


def replies(example: Example) -> list[Example]:
    """Return the row, and behind it the row that ends on the rejected reply, if it has one."""
    other = counterpart(example)
    return [example, *([_told(example, other)] if other else [])]


def _told(example: Example, messages: Sequence[Mapping[str, Any]]) -> Example:
    return replace(example, fields={**example.fields, "messages": messages})


def check(fields: Mapping[str, Any]) -> None:
    """Raise Unreadable where a row of messages has a `rejected` that is no single reply.

    What is no list of objects with a role is a field of the user's own, and not our affair.
    """
    if _are_messages(fields.get(REJECTED)):
        _one(fields[REJECTED], REJECTED)


def _are_messages(value: Any) -> bool:
    some = isinstance(value, list) and len(value) > 0
    return some and all(isinstance(m, dict) and "role" in m for m in value)


def openai(fields: Mapping[str, Any]) -> Fields:
    """Turn `input`, `preferred_output` and `non_preferred_output` into messages and rejected.

    Source: https://platform.openai.com/docs/api-reference/fine-tuning/preference-input; of each
    output the assistant's last message alone is trained on.
    """
    given = fields["input"]
    if not isinstance(given, dict):
        needed = "an object with `messages` is needed"
        raise Unreadable("shape", f"input is {found(fields, 'input', needed)}")
    must_be_messages(given.get("messages"), "input.messages")
    names = ("preferred_output", "non_preferred_output")
    made = _parted(given["messages"], [fields[name] for name in names], names)
    # As in OpenAI's own example, `tools: []`: where there are none, how to call them says nothing.
    told = {k: v for k, v in given.items() if k in TOLD and given.get("tools")}
    rest = {k: v for k, v in given.items() if k not in ("messages", *TOLD)}
    return {**made, **told, **({"input": rest} if rest else {})}


def trl(fields: Mapping[str, Any]) -> Fields:
    """Turn `prompt`, `chosen` and `rejected` (texts, or lists of messages) into messages.

    Source: https://huggingface.co/docs/trl/dataset_formats. Where the prompt is no list, lists
    begin with it: with what they have in common; a text beside them is kept as a field.
    """
    sides = [fields["chosen"], fields[REJECTED]]
    if isinstance(sides[0], str) or isinstance(sides[1], str):
        replies = [[replied(text(fields, name))] for name in ("chosen", REJECTED)]
        return _parted([*opening(fields), *_prompt(fields)], replies, ("chosen", REJECTED))
    told = fields.get("prompt")
    before = [*opening(fields), *(told if isinstance(told, list) else [])]
    made = _parted(before, sides, ("chosen", REJECTED))
    return made if told is None or isinstance(told, list) else {**made, "prompt": told}


def _prompt(fields: Mapping[str, Any]) -> list[Message]:
    prompt = fields.get("prompt")
    return prompt if isinstance(prompt, list) else [asked(text(fields, "prompt"))]


def _parted(before: list[Message], sides: Sequence[Any], names: Sequence[str]) -> Fields:
    """Return messages and rejected; what both sides begin with belongs to the prompt."""
    for name, side in zip(names, sides, strict=True):
        must_be_messages(side, name)
    common = 0
    while common < min(map(len, sides)) - 1 and sides[0][common] == sides[1][common]:
        common += 1
    preferred, other = (_one(s[common:], n) for s, n in zip(sides, names, strict=True))
    return {"messages": [*before, *sides[0][:common], preferred], REJECTED: [other]}


def _one(messages: list[Message], name: str) -> Message:
    must_be_messages(messages, name)
    if len(messages) > 1:
        needed = "one reply is needed, and before it only what both sides have in common"
        raise Unreadable("shape", f"{name} has {len(messages)} messages of its own; {needed}")
    return messages[0]
