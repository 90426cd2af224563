"""Writes messages and tools of other APIs and libraries in the form of OpenAI's chat messages.

Hugging Face data sets fill the keys that a message lacks with null, and have arguments as objects
and calls without ids (https://huggingface.co/docs/transformers/chat_extras). Anthropic, Bedrock and
Gemini write calls and their results as parts of the content:

- https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview
- https://docs.aws.amazon.com/bedrock/latest/userguide/preparing-text-data.html
- https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-about
"""

import json
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from ...utils.strict_json import parse_json_text
from .row_format import Fields, Message

# The keys under which APIs write a function's arguments.
_ARGUMENT_KEYS = ("arguments", "parameters", "input", "args")
_CALL_PARTS = ("toolUse", "functionCall", "function_call")
_RESULT_PARTS = ("toolResult", "functionResponse", "function_response")
# Parts that name no type, by the key that holds their data (Gemini, Bedrock).
_MEDIA_PARTS = {
    **dict.fromkeys(("inlineData", "inline_data", "fileData", "file_data"), "file"),
    **{"image": "image", "video": "video", "document": "file"},
}


def _is_openai_part(part: Any) -> bool:
    is_foreign = isinstance(part, dict) and (
        part.get("type") in (None, "tool_use", "tool_result", "thinking") or None in part.values()
    )
    return not is_foreign


def openai_messages(turns: list[Any]) -> list[Any]:
    """Return messages in OpenAI's form; what is malformed stays, for the checks to report.

    Keys that are null are left out, but for `content`. Calls and results that are parts of the
    content become `tool_calls` and messages from tool. Arguments become JSON text. Calls without an
    id are numbered, and results without one answer the open calls in their order.
    """
    messages: list[Any] = []
    numbers, open_ids = count(1), list[str]()
    for turn in turns:
        if not isinstance(turn, dict):
            messages.append(turn)
            continue
        for message in _split_parts(turn):
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


def _split_parts(turn: Message) -> Iterator[Message]:
    """Yield a message without null keys, after the results of tools that its content holds."""
    message = {k: v for k, v in turn.items() if v is not None or k == "content"}
    weight = message.get("weight")
    if type(weight) is float and weight in (0.0, 1.0):
        message["weight"] = int(weight)
    content = message.get("content")
    if not isinstance(content, list) or all(map(_is_openai_part, content)):
        yield message
        return
    parts: list[Any] = []
    calls: list[Message] = []
    results: list[Message] = []
    for part in content:
        if not isinstance(part, dict):
            parts.append(part)
            continue
        part = {k: v for k, v in part.items() if v is not None}
        if call := _call_in(part):
            calls.append(call)
        elif result := _result_in(part):
            results.append(result)
        elif part.get("type") == "thinking" and isinstance(part.get("thinking"), str):
            message["reasoning_content"] = part["thinking"]
        else:
            kinds = {"text": "text"} if isinstance(part.get("text"), str) else _MEDIA_PARTS
            kind = next((kind for key, kind in kinds.items() if key in part), "")
            parts.append({"type": kind, **part} if kind and "type" not in part else part)
    yield from results
    if calls:
        message["tool_calls"] = calls
    texts = [p.get("text") for p in parts if isinstance(p, dict) and p.get("type") == "text"]
    is_one_text = len(parts) == len(texts) == 1 and isinstance(texts[0], str)
    message["content"] = texts[0] if is_one_text else parts or None
    if parts or calls or not results:
        yield message


def _call_in(part: Mapping[str, Any]) -> Message | None:
    """Return the call of a function that a part of the content is; None if it is none."""
    if part.get("type") == "tool_use":
        return dict(part)
    value = next((part[key] for key in _CALL_PARTS if isinstance(part.get(key), dict)), None)
    return None if value is None else {"id": value.get("toolUseId"), **value}


def _result_in(part: Mapping[str, Any]) -> Message | None:
    """Return the message from tool that a part of the content is; None if it is none."""
    value = next((part[key] for key in _RESULT_PARTS if isinstance(part.get(key), dict)), None)
    if part.get("type") == "tool_result":
        value = part
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
    """Return a call in OpenAI's form; what is no call of a function stays as it is.

    A call is an object with `function`, or with `name` and arguments. One without an id takes the
    next of the `numbers`.
    """
    if not isinstance(call, dict):
        return call
    if isinstance(call.get("name"), str) and "function" not in call:
        arguments: Any = next((call[key] for key in _ARGUMENT_KEYS if key in call), {})
        call = {"id": call.get("id"), "function": {"name": call["name"], "arguments": arguments}}
    function = call.get("function")
    if not isinstance(function, dict):
        return call
    call = dict(call)
    if isinstance(function.get("arguments"), dict):
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
    tools: list[Any] = []
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
