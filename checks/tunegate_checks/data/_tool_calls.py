"""Tool calls: is each one well formed, and answered by exactly one result, in its place?

Rules: the Chat Completions reference, https://platform.openai.com/docs/guides/function-calling.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Fault = tuple[str, str]  # kind and evidence
Message = Mapping[str, Any]


def format_json(value: object) -> str:
    """Return a value as it is shown in evidence: on one line, short, its type plain to see."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def tool_call_faults(messages: Sequence[Message], tools: Any = None) -> Iterator[Fault]:
    """Yield what is wrong with the tool calls of one row, and with its list of `tools`."""
    names = None
    if tools is not None:
        yield from _tool_list_faults(tools)
        names = _tool_names(tools) if isinstance(tools, list) else None
    open_calls: list[str] = []
    for i, message in enumerate(messages):
        path = f"messages[{i}]"
        if message["role"] == "tool":
            yield from _result_faults(path, message, open_calls)
            continue
        if open_calls:
            open_ids = ", ".join(format_json(c) for c in open_calls)
            yield "tool result", f"{path} stands where the result of {open_ids} is due"
            open_calls = []
        if "tool_call_id" in message:
            yield "tool result", f"{path}.tool_call_id belongs to a message from tool alone"
        if message.get("tool_calls") is not None:
            yield from _calls_faults(path, message, names)
            open_calls = _call_ids(message["tool_calls"])
        if message.get("function_call") is not None:
            yield from _function_faults(f"{path}.function_call", message["function_call"], names)


def _tool_list_faults(tools: Any) -> Iterator[Fault]:
    if not isinstance(tools, list) or not tools:
        yield (
            "tools",
            f"tools is {'empty' if tools == [] else format_json(tools)}; a list is needed",
        )
        return
    for i, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or tool.get("type") != "function":
            yield "tools", f'tools[{i}] is not {{"type": "function", "function": {{...}}}}'
        elif not isinstance(function.get("name"), str) or not function["name"].strip():
            yield (
                "tools",
                f"tools[{i}].function.name is {format_json(function.get('name'))}; give a name",
            )


def _tool_names(tools: list[Any]) -> set[str]:
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
    return {str(f.get("name")) for f in functions if isinstance(f, dict)}


def _call_ids(calls: Any) -> list[str]:
    calls = calls if isinstance(calls, list) else []
    ids = (call.get("id") for call in calls if isinstance(call, dict))
    return [i for i in ids if isinstance(i, str)]


def _calls_faults(path: str, message: Message, names: set[str] | None) -> Iterator[Fault]:
    calls = message["tool_calls"]
    if message["role"] != "assistant":
        yield (
            "tool call",
            f"{path}.tool_calls stands on {format_json(message['role'])}, not assistant",
        )
    if not isinstance(calls, list) or not calls:
        description = "empty" if calls == [] else format_json(calls)
        yield (
            "tool call",
            f"{path}.tool_calls is {description}; a list of calls is needed, or no such key",
        )
        return
    ids = _call_ids(calls)
    for i, call in enumerate(calls):
        yield from _call_faults(f"{path}.tool_calls[{i}]", call, names)
    for twin in sorted({i for i in ids if ids.count(i) > 1}):
        yield (
            "tool call",
            f"{path}.tool_calls has the id {format_json(twin)} twice; each needs its own",
        )


def _call_faults(path: str, call: Any, names: set[str] | None) -> Iterator[Fault]:
    if not isinstance(call, dict):
        yield "tool call", f"{path} is {format_json(call)}; an object is needed"
        return
    if not isinstance(call.get("id"), str) or not call["id"].strip():
        yield (
            "tool call",
            f"{path}.id is {format_json(call.get('id'))}; a text is needed, for its result",
        )
    if call.get("type") != "function":
        yield "tool call", f"{path}.type is {format_json(call.get('type'))}; 'function' is valid"
    yield from _function_faults(f"{path}.function", call.get("function"), names)


def _function_faults(path: str, function: Any, names: set[str] | None) -> Iterator[Fault]:
    if not isinstance(function, dict):
        yield "tool call", f"{path} is {format_json(function)}; an object is needed"
        return
    name = function.get("name")
    if not isinstance(name, str) or not name.strip():
        yield "tool call", f"{path}.name is {format_json(name)}; the name of a tool is needed"
    elif names is not None and name not in names:
        valid = ", ".join(sorted(names)) or "none"
        yield "tool call", f"{path}.name is {format_json(name)}; the row's tools are: {valid}"
    yield from _arguments_faults(f"{path}.arguments", function.get("arguments"))


def _arguments_faults(path: str, arguments: Any) -> Iterator[Fault]:
    if not isinstance(arguments, str):
        advice = "the arguments as a JSON text are needed (json.dumps)"
        yield "arguments", f"{path} is {format_json(arguments)}; {advice}"
        return
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        yield "arguments", f"{path} is a text that is not JSON; write an object, such as '{{}}'"
        return
    if not isinstance(value, dict):
        yield "arguments", f"{path} holds {format_json(value)} as JSON; an object is needed"


def _result_faults(path: str, message: Message, open_calls: list[str]) -> Iterator[Fault]:
    call_id = message.get("tool_call_id")
    if not isinstance(call_id, str):
        advice = "the id of the call it answers is needed"
        yield "tool result", f"{path}.tool_call_id is {format_json(call_id)}; {advice}"
    elif call_id not in open_calls:
        open_ids = ", ".join(format_json(c) for c in open_calls) or "none"
        evidence = f"answers no call that is open (open: {open_ids})"
        yield "tool result", f"{path}.tool_call_id is {format_json(call_id)}: it {evidence}"
    else:
        open_calls.remove(call_id)
