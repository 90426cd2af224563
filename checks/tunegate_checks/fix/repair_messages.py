"""Repair, losing nothing, what `data.format` reports where there is exactly one remedy."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from tunegate.data.formats.chat import SHAREGPT_ROLES
from tunegate.data.formats.pairs import rejected_in
from tunegate.data.formats.row_format import REJECTED, Fields, Message, openai_call

from ..data.format import CONTENT_ALTERNATIVES, MESSAGE_KEYS, ROLES

# The field of a row that takes the keys that a message cannot have, by the message's number.
EXTRA_KEYS = "message_fields"


def repair_messages(fields: Fields) -> tuple[Fields, list[str]]:
    """Return the repaired row, and each repair as "path action"; with none, the row itself.

    The rejected reply of a preference row is repaired like a message. Keys that a message cannot
    have move to the row's field EXTRA_KEYS, unless the row has such a field already.
    """
    messages = [dict(message) for message in fields["messages"]]
    rejected_message = rejected_in(fields)
    replies = {REJECTED: [dict(rejected_message)]} if rejected_message else {}
    messages_by_number = {str(i): (f"messages[{i}]", message) for i, message in enumerate(messages)}
    messages_by_number |= {name: (f"{name}[0]", reply) for name, (reply,) in replies.items()}
    extra_keys: dict[str, Message] = {}
    actions: list[str] = []
    for number, (path, message) in messages_by_number.items():
        repairs = [*_repair_keys(message), *_repair_content(message)]
        actions += (f"{path}{action}" for action in repairs)
        for key in [k for k in message if k not in MESSAGE_KEYS and EXTRA_KEYS not in fields]:
            # A key that is no name could itself be personal data.
            name = key if key.isidentifier() and len(key) <= 30 else "(key)"
            extra_keys.setdefault(number, {})[key] = message.pop(key)
            actions.append(f"{path} has its key {name} moved to the row's {EXTRA_KEYS}")
    if not actions:
        return fields, []
    moved_keys = {EXTRA_KEYS: extra_keys} if extra_keys else {}
    return {**fields, "messages": messages, **replies, **moved_keys}, actions


def _repair_keys(message: Message) -> Iterator[str]:
    """Repair the role, and remove a name or a weight that has no effect."""
    role = message["role"]
    repaired_role = role.strip().lower()
    repaired_role = SHAREGPT_ROLES.get(repaired_role, repaired_role)
    if role not in ROLES and repaired_role in ROLES:
        message["role"] = repaired_role
        yield f".role became {repaired_role}"
    name = message.get("name")
    if isinstance(name, str) and not name.strip():
        del message["name"]
        yield ".name, which was empty, left out"
    if "weight" not in message:
        return
    weight = message["weight"]
    if message["role"] != "assistant":
        del message["weight"]
        yield ".weight, which says nothing there, left out"
    elif type(weight) is not int and isinstance(weight, bool | float) and weight in (0, 1):
        message["weight"] = int(weight)
        yield f".weight became {int(weight)}"


def _repair_content(message: Message) -> Iterator[str]:
    """Remove NUL characters and blank content beside a call; give calls OpenAI's form."""
    content = _without_nul(message.get("content"))
    if content != message.get("content"):
        message["content"] = content
        yield ".content lost its NUL characters"
    may_be_empty = message["role"] == "assistant" and any(map(message.get, CONTENT_ALTERNATIVES))
    if may_be_empty and isinstance(content, str) and not content.strip():
        message["content"] = None
        yield ".content, which was blank beside a call, became null"
    calls, numbers = message.get("tool_calls"), count(1)
    repaired = [openai_call(call, numbers) for call in calls] if isinstance(calls, list) else calls
    if repaired != calls:
        message["tool_calls"] = repaired
        yield ".tool_calls, of another API, took OpenAI's form"


def _without_nul(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nul(item) for key, item in value.items()}
    return value.replace("\0", "") if isinstance(value, str) else value
