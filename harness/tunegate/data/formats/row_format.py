"""What a row format is, and what the conversions to messages have in common.

Messages and tools of other APIs and libraries are written in the form of OpenAI's chat messages.
Hugging Face data sets fill the keys that a message lacks with null, and have arguments as objects
and calls without ids (https://huggingface.co/docs/transformers/chat_extras). Anthropic, Bedrock,
Gemini and LLaMA-Factory's v1 write calls, and most their results, as parts of the content:

- https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview
- https://docs.aws.amazon.com/bedrock/latest/userguide/preparing-text-data.html
- https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-about
- https://github.com/hiyouga/LLaMA-Factory/blob/main/src/llamafactory/v1/utils/types.py
"""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count, zip_longest
from typing import Any

from ...utils.strict_json import Unreadable, parse_json_text

Fields = dict[str, Any]
Message = dict[str, Any]

REJECTED = "rejected"
# The keys under which APIs write a function's arguments.
_ARGUMENT_KEYS = ("arguments", "parameters", "input", "args")
_FOREIGN = (None, "tool_use", "tool_result", "thinking")  # of parts of the content
# Of LLaMA-Factory's v1: what other APIs call them, and the key that holds their data there.
_VALUE_TYPES = {"text": "text", "reasoning": "thinking", "tool_call": "function"}
_VALUE_TYPES |= {f"{medium}_url": medium for medium in ("image", "video", "audio")}
# Keys that say whether a turn is learnt (OpenAI, LLaMA-Factory's v1, ms-swift, Axolotl).
_WEIGHT_KEYS = {"weight": float, "loss_weight": int | float, "loss": bool, "train": bool}
_CALL_PARTS = ("toolUse", "functionCall", "function_call")
_RESULT_PARTS = ("toolResult", "functionResponse", "function_response")
# Parts that name no type, by the key that holds their data (Gemini, Bedrock).
_MEDIA_PARTS = dict.fromkeys(("inlineData", "inline_data", "fileData", "file_data"), "file")
_MEDIA_PARTS |= {"image": "image", "video": "video", "document": "file"}


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


def openai_messages(turns: list[Any]) -> list[Any]:
    """Return messages in OpenAI's form; what is malformed stays, for the checks to report.

    Keys that are null are left out, but for `content`. Calls and results that are parts of the
    content become `tool_calls` and messages from tool. Arguments become JSON text. Calls without an
    id are numbered, and results without one answer the open calls in their order: one result alone
    all of them, where it is a JSON list of as many objects (LLaMA-Factory).
    """
    messages: list[Any] = []
    numbers, open_ids = count(1), list[str]()
    for turn, following in zip_longest(turns, turns[1:]):
        if not isinstance(turn, dict):
            messages.append(turn)
            continue
        is_alone = not (isinstance(following, dict) and following.get("role") == "tool")
        due = len(open_ids) if is_alone else 1
        for message in chain.from_iterable(_split_results(m, due) for m in _split_parts(turn)):
            if isinstance(message.get("tool_calls"), list):
                calls = [openai_call(call, numbers) for call in message["tool_calls"]]
                message["tool_calls"] = calls
                ids = (call.get("id") for call in calls if isinstance(call, dict))
                open_ids = [i for i in ids if isinstance(i, str)]
            elif message.get("role") == "tool" and open_ids:
                call_id = message.setdefault("tool_call_id", open_ids[0])
                open_ids = [i for i in open_ids if i != call_id]
            messages.append(message)
    return messages


def _split_results(message: Message, calls: int) -> list[Message]:
    """Return a message for each result, where the only one is a JSON list of those of all calls."""
    is_result = message.get("role") == "tool" and "tool_call_id" not in message and calls > 1
    results = parse_json_text(message.get("content")) if is_result else None
    if not isinstance(results, list) or [*map(type, results)] != [dict] * calls:
        return [message]
    return [{**message, "content": _as_text(r.get("content", r))} for r in results]


def _split_parts(turn: Message) -> Iterator[Message]:
    """Yield a message without null keys, after the results of tools that its content holds."""
    message = {k: v for k, v in turn.items() if v is not None or k == "content"}
    for name, number in _WEIGHT_KEYS.items():
        if isinstance(message.get(name), number) and (name == "weight" or "weight" not in message):
            weight = message.pop(name)
            if name == "weight" or weight != (message.get("role") == "assistant"):  # not the rule
                message["weight"] = int(weight) if weight in (0, 1) else weight
    content: Any = message.get("content")
    objects = [p for p in content if isinstance(p, dict)] if isinstance(content, list) else []
    joint = "" if any("value" in part for part in objects) else "\n\n"
    if joint and all(p.get("type") not in _FOREIGN and None not in p.values() for p in objects):
        yield message
        return
    parts, calls, results, thoughts = list[Any](), list[Message](), list[Message](), list[str]()
    for part in content:
        if not isinstance(part, dict):
            parts.append(part)
            continue
        part = {k: v for k, v in part.items() if v is not None}
        if "value" in part and part.get("type") in [*_VALUE_TYPES]:
            key, value = _VALUE_TYPES[part["type"]], part["value"]
            part = {"type": key, key: parse_json_text(value) if key == "function" else value}
        called = next((part[key] for key in _CALL_PARTS if isinstance(part.get(key), dict)), None)
        if part.get("type") in ("tool_use", "function"):
            calls.append(part)
        elif called is not None:
            calls.append({"id": called.get("toolUseId"), **called})
        elif result := _result_in(part):
            results.append(result)
        elif part.get("type") == "thinking" and isinstance(part.get("thinking"), str):
            thoughts.append(part["thinking"])
        else:
            kinds = {"text": "text"} if isinstance(part.get("text"), str) else _MEDIA_PARTS
            kind = next((kind for key, kind in kinds.items() if key in part), "")
            parts.append({"type": kind, **part} if kind and "type" not in part else part)
    yield from results
    if calls:
        message["tool_calls"] = calls
    if thoughts:
        message["reasoning_content"] = joint.join(thoughts)
    texts = [p.get("text") for p in parts if isinstance(p, dict) and p.get("type") == "text"]
    is_text = [*map(type, texts)] == [str] * len(parts) and (len(parts) == 1 or not joint)
    message["content"] = "".join(map(str, texts)) if is_text and parts else parts or None
    if parts or calls or not results:
        yield message


def _result_in(part: Mapping[str, Any]) -> Message | None:
    """Return the message from tool that a part of the content is; None if it is none."""
    values = (part[key] for key in _RESULT_PARTS if isinstance(part.get(key), dict))
    value = part if part.get("type") == "tool_result" else next(values, None)
    if value is None:
        return None
    content = value.get("content", value.get("response"))
    if isinstance(content, list):
        pieces = [p.get("text", p.get("json", p)) if isinstance(p, dict) else p for p in content]
        content = pieces[0] if len(pieces) == 1 else "\n".join(map(_as_text, pieces))
    call_id = value.get("tool_use_id", value.get("toolUseId"))
    message = {"role": "tool", "content": _as_text(content)}
    return message if call_id is None else {**message, "tool_call_id": call_id}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def openai_call(call: Any, numbers: Iterator[int]) -> Any:
    """Return a call in OpenAI's form, a lacking id from `numbers`; what is no call stays."""
    if not isinstance(call, dict):
        return call
    if isinstance(call.get("name"), str) and "function" not in call:
        arguments: Any = next((call[key] for key in _ARGUMENT_KEYS if key in call), {})
        call = {"id": call.get("id"), "function": {"name": call["name"], "arguments": arguments}}
    if "function" not in call:
        return call
    call, function = dict(call), call["function"]
    if isinstance(function, dict) and isinstance(function.get("arguments"), dict):
        text = json.dumps(function["arguments"], ensure_ascii=False)
        call["function"] = {**function, "arguments": text}
    if call.get("id") is None:
        call["id"] = f"call_{next(numbers)}"
    if call.get("type") is None:
        call["type"] = "function"
    return call


def openai_tools(value: Any) -> Any:
    """Return the tools of a row in OpenAI's form, None if there are none.

    They may be JSON text (LLaMA-Factory, ToolACE), functions without `type`, declarations (Gemini),
    specifications (Bedrock), or have an `input_schema` (Anthropic).
    """
    value = parse_json_text(value)
    if isinstance(value, dict):
        value = value.get("tools", [value])
    if not isinstance(value, list):
        return value or None
    tools = list[Any]()
    for tool in value:
        declared = tool.get("functionDeclarations") if isinstance(tool, dict) else None
        tools += map(_openai_tool, declared if isinstance(declared, list) else [tool])
    return tools or None


def given_tools(fields: Mapping[str, Any]) -> list[Any]:
    """Return the tools that a row gives to the model, in OpenAI's form."""
    tools = openai_tools(fields.get("tools") or fields.get("functions"))
    return tools if isinstance(tools, list) else []


def _openai_tool(tool: Any) -> Any:
    function = tool.get("toolSpec", tool) if isinstance(tool, dict) else None
    if not isinstance(function, dict) or "function" in function or "name" not in function:
        return tool
    schema = function.get("input_schema", function.get("inputSchema"))
    if isinstance(schema, dict):
        function = {k: v for k, v in function.items() if k not in ("input_schema", "inputSchema")}
        function["parameters"] = schema.get("json", schema)
    return {"type": "function", "function": {k: v for k, v in function.items() if k != "type"}}


def with_openai_tools(fields: Fields, tools: Any) -> Fields:
    """Return fields with the tools of a row in OpenAI's form; without, if there are none."""
    converted = openai_tools(tools)
    rest = {key: value for key, value in fields.items() if key != "tools"}
    return rest if converted is None else {**rest, "tools": converted}
