"""What shapes are read with: messages and texts of a row, or one line that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .strictjson import Unreadable

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
