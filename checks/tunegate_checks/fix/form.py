"""The form of messages: what is plainly meant otherwise, and can be put right without a loss.

`data.format` says what is wrong with a row. Here stand those of its faults that have one remedy;
a row with any other is for a person.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tunegate.preferences import REJECTED, rejected_of
from tunegate.shapes import SPEAKERS

from ..data.format import KEYS, ROLES, STANDS_IN

BESIDE = "message_fields"  # where keys go that a message cannot have: by the message's number
Message = dict[str, Any]


def repaired(fields: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the row put right, and what was done to it; nothing done, the row itself."""
    messages = [dict(message) for message in fields["messages"]]
    beside: dict[str, Message] = {}
    done: list[str] = []
    other = rejected_of(fields)
    replies = {REJECTED: [dict(other)]} if other else {}
    places = {str(i): (f"messages[{i}]", message) for i, message in enumerate(messages)}
    places |= {name: (f"{name}[0]", reply) for name, (reply,) in replies.items()}
    for number, (here, message) in places.items():
        for repair in (_role, _name, _weight, _content, _calls):
            done += (f"{here}{what}" for what in repair(message))
        if BESIDE not in fields:
            done += (f"{here}{what}" for what in _keys(message, beside.setdefault(number, {})))
    messages, joined = _joined(messages)
    moved = {BESIDE: kept} if (kept := {i: m for i, m in beside.items() if m}) else {}
    if done or joined:
        return {**fields, "messages": messages, **replies, **moved}, [*done, *joined]
    return fields, []


def _role(message: Message) -> Iterator[str]:
    role = message["role"]
    meant = role.strip().lower()
    meant = SPEAKERS.get(meant, meant)
    if role not in ROLES and meant in ROLES:
        message["role"] = meant
        yield f".role became {meant}"


def _name(message: Message) -> Iterator[str]:
    name = message.get("name", "-")
    if name is None or (isinstance(name, str) and not name.strip()):
        del message["name"]
        yield ".name, which was empty, left out"


def _weight(message: Message) -> Iterator[str]:
    if "weight" not in message:
        return
    weight = message["weight"]
    if weight is None or message["role"] != "assistant":
        del message["weight"]
        yield ".weight, which says nothing there, left out"
    elif type(weight) is not int and isinstance(weight, bool | float) and weight in (0, 1):
        message["weight"] = int(weight)
        yield f".weight became {int(weight)}"


def _content(message: Message) -> Iterator[str]:
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
    spoken = message["role"] == "assistant" and any(message.get(k) for k in STANDS_IN)
    content = message.get("content")
    if spoken and isinstance(content, str) and not content.strip():
        message["content"] = None
        yield ".content, which was blank beside a call, became null"


def _holds_nul(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str) and "\0" in part["text"]


def _calls(message: Message) -> Iterator[str]:
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return
    message["tool_calls"] = copies = [dict(c) if isinstance(c, dict) else c for c in calls]
    for i, call in enumerate(copies):
        if isinstance(call, dict):
            yield from (f".tool_calls[{i}]{what}" for what in _call(call))


def _call(call: Message) -> Iterator[str]:
    if call.get("type") is None:
        call["type"] = "function"
        yield ".type, which was missing, became function"
    function = call.get("function")
    if isinstance(function, dict) and isinstance(function.get("arguments"), dict):
        text = json.dumps(function["arguments"], ensure_ascii=False)
        call["function"] = {**function, "arguments": text}
        yield ".function.arguments, an object, became its JSON text"


def _keys(message: Message, beside: Message) -> Iterator[str]:
    for key in [k for k in message if k not in KEYS]:
        value = message.pop(key)
        if value is None:
            yield f" lost the key {_shown(key)}, which was null"
        else:
            beside[key] = value
            yield f" has its key {_shown(key)} moved to the row's {BESIDE}"


def _shown(key: str) -> str:
    return key if key.isidentifier() and len(key) <= 30 else "(key)"


def _joined(messages: list[Message]) -> tuple[list[Message], list[str]]:
    """Join what the user says in two messages: the checks read it as these lines already."""
    joined: list[Message] = []
    done: list[str] = []
    for i, message in enumerate(messages):
        if joined and _is_plain(message) and _is_plain(joined[-1]):
            joined[-1] = {**joined[-1], "content": f"{joined[-1]['content']}\n{message['content']}"}
            done.append(f"messages[{i}] was joined to the one before it: both from the user")
        else:
            joined.append(message)
    return joined, done


def _is_plain(message: Message) -> bool:
    text = message.get("content")
    alone = message.keys() == {"role", "content"} and message["role"] == "user"
    return alone and isinstance(text, str) and bool(text.strip())
