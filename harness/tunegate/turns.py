"""What shapes are read with: messages and texts of a row, or one line that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .strictjson import Unreadable

Fields = dict[str, Any]
Message = dict[str, Any]


def kind(value: Any) -> str:
    """Name the JSON type of a value: `an object`, `a text`, `null`."""
    names = {dict: "an object", list: "an array", str: "a text", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def found(fields: Mapping[str, Any], name: str, needed: str = "a text is needed") -> str:
    """Say what stands in a field instead of what is needed."""
    return f"{kind(fields[name]) if name in fields else 'missing'}; {needed}"


def text(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a field that must be a text; where it is null or missing, the default."""
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise Unreadable("shape", f"{name} is {found(fields, name)}")
    return value


def must_be_messages(messages: Any, name: str = "messages") -> None:
    """Raise Unreadable where a value is not a list of messages, one or more."""
    if not isinstance(messages, list) or not messages:
        what = "empty" if messages == [] else kind(messages)
        raise Unreadable("shape", f"{name} is {what}; a list of role and content is needed")
    for i, message in enumerate(messages):
        if not isinstance(message, dict):
            raise Unreadable("shape", f"{name}[{i}] is {kind(message)}; an object is needed")
        if not isinstance(message.get("role"), str):
            raise Unreadable("shape", f"{name}[{i}].role is {found(message, 'role')}")
        if not isinstance(message.get("content"), str | list | None):
            raise Unreadable("shape", f"{name}[{i}].content is {found(message, 'content')}")


def opening(fields: Mapping[str, Any]) -> list[Message]:
    """Return the message of a field `system`, in a list; none where it is empty or missing."""
    system = text(fields, "system", "")
    return [{"role": "system", "content": system}] if system else []


def asked(prompt: str) -> Message:
    """Return what the user says."""
    return {"role": "user", "content": prompt}


def replied(reply: str) -> Message:
    """Return what the assistant says."""
    return {"role": "assistant", "content": reply}
