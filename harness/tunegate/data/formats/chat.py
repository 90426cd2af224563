"""Conversations: chat messages, ShareGPT, Gemini and Bedrock, with tools and their results."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from ...utils.strict_json import Unreadable, parse_json_text
from . import row_format
from .row_format import Fields, Message, RowFormat, json_type, openai_messages, with_openai_tools

SHAREGPT_ROLES = {
    "system": "system",
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bing", "bard", "model", "assistant"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function_response"), "tool"),
}
SHAREGPT_NAMES = ("conversations", "conversation")
_ROLE_AND_TEXT = {"role", "content"}
# Turns that hold calls of functions as JSON text (LLaMA-Factory).
CALL_ROLES = ("function_call", "tool_call")


def is_plain_chat(row: Mapping[str, Any]) -> bool:
    """Tell whether `from_chat` need not look at a row: each message has a role and text alone."""
    messages = row["messages"]
    return (
        isinstance(messages, list)
        and all(isinstance(m, dict) and m.keys() == _ROLE_AND_TEXT for m in messages)
        and all(type(m["content"]) is str and m["role"] and m["role"] != "tool" for m in messages)
        and "tools" not in row
        and not (row.get("system") and _lacks_system(messages))
    )


def _lacks_system(messages: Any) -> bool:
    """Tell whether messages begin with something else than the system message."""
    first = messages[0] if isinstance(messages, list) and messages else None
    return isinstance(first, dict) and first.get("role") not in ("system", "developer")


def from_chat(fields: Mapping[str, Any]) -> Fields:
    """Convert the messages of any API to OpenAI's form; the other fields stay as they are."""
    messages = parse_json_text(fields["messages"])
    system = fields.get("system")
    rest = {k: v for k, v in fields.items() if k != "messages"}
    if not isinstance(messages, list):
        return {"messages": messages, **rest}
    converted = openai_messages(messages)
    turns = [turn for turn in messages if isinstance(turn, dict) and "from" in turn]
    if len(turns) == len(messages) and any(turn.get("content") is None for turn in turns):
        converted = sharegpt_messages(messages, "messages")
    # Beside messages, as Anthropic and Bedrock have it.
    if isinstance(system, str | list) and system and _lacks_system(converted):
        converted = [*_system_of_parts(system, "system"), *converted]
        del rest["system"]
    if "toolConfig" in rest:
        rest["tools"] = rest.pop("toolConfig")
    return with_openai_tools({"messages": converted, **rest}, rest.get("tools"))


def _system_of_parts(value: Any, name: str) -> list[Message]:
    """Return the system message of a text, or of a list of parts with a text."""
    parts = value if isinstance(value, list) else [{"text": value}]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    if not all(isinstance(text, str) for text in texts):
        needed = "a text, or parts of text are needed"
        raise Unreadable("shape", f"{name} is {json_type(value)}; {needed}")
    return [{"role": "system", "content": "\n".join(map(str, texts))}] if any(texts) else []


def sharegpt_messages(turns: Any, name: str) -> list[Any]:
    """Return turns with `from` and `value` as messages; `name` is their field.

    A turn from `function_call` becomes tool calls; of `observation` or `tool`, a message from tool.
    """
    if not isinstance(turns, list):
        raise Unreadable("shape", f"{name} is {json_type(turns)}; a list is needed")
    messages = []
    for i, turn in enumerate(turns):
        location = f"{name}[{i}]"
        if not isinstance(turn, dict):
            raise Unreadable("shape", f"{location} is {json_type(turn)}; an object is needed")
        if "role" in turn:  # some exporters write messages under this name
            messages.append(turn)
            continue
        speaker = turn.get("from")
        role = SHAREGPT_ROLES.get(speaker) if isinstance(speaker, str) else None
        if role is None and speaker not in CALL_ROLES:
            valid = ", ".join((*SHAREGPT_ROLES, *CALL_ROLES))
            raise Unreadable("shape", f"{location}.from is {ascii(speaker)[:40]}; one of: {valid}")
        if not isinstance(turn.get("value"), str):
            found = row_format.describe_field(turn, "value")
            raise Unreadable("shape", f"{location}.value is {found}")
        called = None if role else parse_json_text(turn["value"])
        calls = called if isinstance(called, list) else [called]
        message: Message = {"role": role or "assistant", "content": turn["value"]}
        if calls and all(isinstance(c, dict) and isinstance(c.get("name"), str) for c in calls):
            message |= {"content": None, "tool_calls": calls}
        messages.append(message | {k: v for k, v in turn.items() if k not in ("from", "value")})
    return openai_messages(messages)


def from_sharegpt(fields: Mapping[str, Any]) -> Fields:
    """Convert `conversations`, turns with `from` and `value`, or messages, to messages."""
    name = next(name for name in SHAREGPT_NAMES if name in fields)
    turns = sharegpt_messages(parse_json_text(fields[name]), name)
    converted = {"messages": [*row_format.system_message(fields), *turns]}
    return with_openai_tools(converted, fields.get("tools"))


def from_gemini(fields: Mapping[str, Any]) -> Fields:
    """Convert `contents`, turns with `role` and `parts`, and `systemInstruction` to messages."""
    turns = parse_json_text(fields["contents"])
    if not isinstance(turns, list):
        raise Unreadable("shape", f"contents is {json_type(turns)}; a list of turns is needed")
    system = fields.get("systemInstruction", fields.get("system_instruction"))
    system = system.get("parts") if isinstance(system, dict) else system
    messages: list[Any] = _system_of_parts(system, "systemInstruction") if system else []
    for i, turn in enumerate(turns):
        if not isinstance(turn, dict) or not isinstance(turn.get("parts"), list):
            raise Unreadable("shape", f"contents[{i}] is no object with `role` and a list `parts`")
        role = turn.get("role") or "user"
        role = {"model": "assistant", "function": "user"}.get(str(role), role)
        messages.append({"role": role, "content": turn["parts"]})
    return with_openai_tools({"messages": openai_messages(messages)}, fields.get("tools"))


def from_function_calls(fields: Mapping[str, Any]) -> Fields:
    """Convert `query`, `tools` and `answers`, the calls that answer it, to messages (xLAM)."""
    calls, numbers = parse_json_text(fields["answers"]), count(1)
    if not isinstance(calls, list) or not calls:
        raise Unreadable("shape", f"answers is {json_type(calls)}; a list of calls is needed")
    made = [row_format.openai_call(call, numbers) for call in calls]
    reply = {"role": "assistant", "content": None, "tool_calls": made}
    messages = [{"role": "user", "content": row_format.text_field(fields, "query")}, reply]
    return with_openai_tools({"messages": messages}, fields["tools"])


CHAT = RowFormat("chat", "messages", "", dict, "", is_plain_chat)
CHAT_FORMATS = (
    RowFormat("chat in another dialect", "messages", "", from_chat,
              "null keys left out; roles, parts, weights, tools and calls in OpenAI's form"),
)  # fmt: skip
SHAREGPT_FORMATS = (
    *(RowFormat("ShareGPT", name, "system tools", from_sharegpt,
                f"{name} (from, value) became messages") for name in SHAREGPT_NAMES),
    RowFormat("Gemini", "contents", "systemInstruction system_instruction tools", from_gemini,
              "contents (role, parts) became messages"),
    RowFormat("function calls", "query tools answers", "", from_function_calls,
              "query became the prompt, answers the tool calls of the reply"),
)  # fmt: skip
