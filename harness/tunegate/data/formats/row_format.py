"""What a row format is, and what the conversions to messages have in common."""

from collections.abc import Callable, Mapping
from typing import Any

from ...utils.strict_json import Unreadable

Fields = dict[str, Any]
Message = dict[str, Any]

REJECTED = "rejected"


class RowFormat:
    """How rows of one format are recognised and converted to messages."""

    def __init__(
        self,
        name: str,  # in reports
        required: str,  # fields that a row of this format has, as words of a text
        optional: str,  # more fields that the messages are made of, likewise
        to_fields: Callable[[Mapping[str, Any]], Fields],  # `messages`; `rejected`, `tools` if any
        hint: str,  # what the conversion did, for the report
        # Looks at the values of a row, where the names of its fields do not tell.
        accepts: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> None:
        self.name, self.to_fields, self.hint, self.accepts = name, to_fields, hint, accepts
        self.required, self.optional = frozenset(required.split()), frozenset(optional.split())


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


def system_message(fields: Mapping[str, Any], name: str = "system") -> list[Message]:
    """Return a list of one message, made of the field `system`; empty if there is no text in it."""
    system = text_field(fields, name, "")
    return [{"role": "system", "content": system}] if system else []


def user_message(prompt: str) -> Message:
    """Return a message of the user."""
    return {"role": "user", "content": prompt}


def assistant_message(reply: str) -> Message:
    """Return a message of the assistant."""
    return {"role": "assistant", "content": reply}


def prompt_messages(fields: Mapping[str, Any], name: str) -> list[Any]:
    """Return a field that is a text of the user, or a list of messages, as a list of messages."""
    value = fields.get(name)
    return value if isinstance(value, list) else [user_message(text_field(fields, name))]


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
