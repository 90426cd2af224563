"""The form of messages: what is plainly meant otherwise, and can be put right without a loss.

`data.format` says what is wrong with a row. Here stand those of its faults that have one remedy;
a row with any other is for a person.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tunegate.data.formats import REJECTED, SHAREGPT_ROLES, rejected_in

from ..data.format import CONTENT_ALTERNATIVES, MESSAGE_KEYS, ROLES

EXTRA_KEYS = "message_fields"  # where keys go that a message cannot have: by the message's number
Message = dict[str, Any]


def repair_messages(fields: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the row put right, and what was done to it; nothing done, the row itself."""
    messages = [dict(message) for message in fields["messages"]]
    extra_keys: dict[str, Message] = {}
    actions: list[str] = []
    rejected_message = rejected_in(fields)
    replies = {REJECTED: [dict(rejected_message)]} if rejected_message else {}
    messages_by_number = {str(i): (f"messages[{i}]", message) for i, message in enumerate(messages)}
    messages_by_number |= {name: (f"{name}[0]", reply) for name, (reply,) in replies.items()}
    for number, (path, message) in messages_by_number.items():
        for repair in (_repair_role, _repair_name, _repair_weight, _repair_content, _repair_calls):
            actions += (f"{path}{action}" for action in repair(message))
        if EXTRA_KEYS not in fields:
            actions += (
                f"{path}{action}"
                for action in _move_extra_keys(message, extra_keys.setdefault(number, {}))
            )
    messages, joined = _join_user_messages(messages)
    moved_keys = (
        {EXTRA_KEYS: extra} if (extra := {i: m for i, m in extra_keys.items() if m}) else {}
    )
    if actions or joined:
        return {**fields, "messages": messages, **replies, **moved_keys}, [*actions, *joined]
    return fields, []


def _repair_role(message: Message) -> Iterator[str]:
    role = message["role"]
    repaired_role = role.strip().lower()
    repaired_role = SHAREGPT_ROLES.get(repaired_role, repaired_role)
    if role not in ROLES and repaired_role in ROLES:
        message["role"] = repaired_role
        yield f".role became {repaired_role}"


def _repair_name(message: Message) -> Iterator[str]:
    name = message.get("name", "-")
    if name is None or (isinstance(name, str) and not name.strip()):
        del message["name"]
        yield ".name, which was empty, left out"


def _repair_weight(message: Message) -> Iterator[str]:
    if "weight" not in message:
        return
    weight = message["weight"]
    if weight is None or message["role"] != "assistant":
        del message["weight"]
        yield ".weight, which says nothing there, left out"
    elif type(weight) is not int and isinstance(weight, bool | float) and weight in (0, 1):
        message["weight"] = int(weight)
        yield f".weight became {int(weight)}"


def _repair_content(message: Message) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str) and "\0" in content:
        message["content"] = content.replace("\0", "")
        yield f".content lost {content.count(chr(0)):,} NUL characters"
    elif isinstance(content, list) and any(map(_holds_nul, content)):
        cleaned = (
            {**p, "text": p["text"].replace("\0", "")} if _holds_nul(p) else p for p in content
        )
        message["content"] = list(cleaned)
        yield ".content lost its NUL characters"
    may_be_empty = message["role"] == "assistant" and any(
        message.get(k) for k in CONTENT_ALTERNATIVES
    )
    content = message.get("content")
    if may_be_empty and isinstance(content, str) and not content.strip():
        message["content"] = None
        yield ".content, which was blank beside a call, became null"


def _holds_nul(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str) and "\0" in part["text"]


def _repair_calls(message: Message) -> Iterator[str]:
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return
    message["tool_calls"] = copies = [dict(c) if isinstance(c, dict) else c for c in calls]
    for i, call in enumerate(copies):
        if isinstance(call, dict):
            yield from (f".tool_calls[{i}]{action}" for action in _repair_call(call))


def _repair_call(call: Message) -> Iterator[str]:
    if call.get("type") is None:
        call["type"] = "function"
        yield ".type, which was missing, became function"
    function = call.get("function")
    if isinstance(function, dict) and isinstance(function.get("arguments"), dict):
        text = json.dumps(function["arguments"], ensure_ascii=False)
        call["function"] = {**function, "arguments": text}
        yield ".function.arguments, an object, became its JSON text"


def _move_extra_keys(message: Message, extra_keys: Message) -> Iterator[str]:
    for key in [k for k in message if k not in MESSAGE_KEYS]:
        value = message.pop(key)
        if value is None:
            yield f" lost the key {_safe_key(key)}, which was null"
        else:
            extra_keys[key] = value
            yield f" has its key {_safe_key(key)} moved to the row's {EXTRA_KEYS}"


def _safe_key(key: str) -> str:
    return key if key.isidentifier() and len(key) <= 30 else "(key)"


def _join_user_messages(messages: list[Message]) -> tuple[list[Message], list[str]]:
    """Join what the user says in two messages: the checks read it as these lines already."""
    joined: list[Message] = []
    actions: list[str] = []
    for i, message in enumerate(messages):
        if joined and _is_plain_user_message(message) and _is_plain_user_message(joined[-1]):
            joined[-1] = {**joined[-1], "content": f"{joined[-1]['content']}\n{message['content']}"}
            actions.append(f"messages[{i}] was joined to the one before it: both from the user")
        else:
            joined.append(message)
    return joined, actions


def _is_plain_user_message(message: Message) -> bool:
    text = message.get("content")
    has_only_text = message.keys() == {"role", "content"} and message["role"] == "user"
    return has_only_text and isinstance(text, str) and bool(text.strip())
