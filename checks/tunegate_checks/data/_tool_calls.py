"""Find malformed tool calls, and calls that are not answered by exactly one result in its place.

Rules: the Chat Completions reference, https://platform.openai.com/docs/guides/function-calling.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunegate.utils.text import cut

Fault = tuple[str, str]  # kind and evidence
Message = Mapping[str, Any]

UNNAMED_RESULT = "unnamed result"  # a hint


def format_json(value: object) -> str:
    """Return a value as evidence shows it: JSON of at most 40 characters, or its type's name."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    return cut(json.dumps(value), 40)


def tool_call_faults(messages: Sequence[Message], tools: Any = None) -> Iterator[Fault]:
    """Yield kind and evidence of each fault in the tool calls of a row, and in its `tools`."""
    names: set[str] | None = None  # None: the row does not say which tools there are
    if tools is not None:
        yield from _tool_list_faults(tools)
    if isinstance(tools, list):
        functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
        names = {str(f.get("name")) for f in functions if isinstance(f, dict)}
    open_calls: list[str] = []  # ids of the calls whose result is due
    for i, message in enumerate(messages):
        path = f"messages[{i}]"
        open_ids = ", ".join(format_json(c) for c in open_calls)
        if message["role"] == "tool":
            call_id = message.get("tool_call_id")
            if call_id in open_calls:
                open_calls.remove(call_id)
            elif call_id is None and not open_calls and _follows_text(messages[:i]):
                advice = "templates with a role tool take it, OpenAI does not"
                yield UNNAMED_RESULT, f"a result of a tool answers a call that is text; {advice}"
            elif isinstance(call_id, str):
                problem = f"it answers no call that is open (open: {open_ids or 'none'})"
                yield "tool result", f"{path}.tool_call_id is {format_json(call_id)}: {problem}"
            else:
                advice = "the id of the call it answers is needed"
                yield "tool result", f"{path}.tool_call_id is {format_json(call_id)}; {advice}"
            continue
        if open_calls:
            yield "tool result", f"{path} stands where the result of {open_ids} is due"
            open_calls = []
        if "tool_call_id" in message:
            yield "tool result", f"{path}.tool_call_id belongs to a message from tool alone"
        calls = message.get("tool_calls")
        if calls is not None:
            if message["role"] != "assistant":
                role = format_json(message["role"])
                yield "tool call", f"{path}.tool_calls stands on {role}, not assistant"
            yield from _call_list_faults(f"{path}.tool_calls", calls, names)
            open_calls = _call_ids(calls)
        if message.get("function_call") is not None:
            yield from _function_faults(f"{path}.function_call", message["function_call"], names)


def _follows_text(messages: Sequence[Message]) -> bool:
    """Tell whether the last message that is no result is a text of the assistant (Hermes)."""
    last = next((m for m in reversed(messages) if m["role"] != "tool"), None)
    return last is not None and last["role"] == "assistant" and not last.get("tool_calls")


def _tool_list_faults(tools: Any) -> Iterator[Fault]:
    if not isinstance(tools, list) or not tools:
        description = "empty" if tools == [] else format_json(tools)
        yield "tools", f"tools is {description}; a list is needed"
        return
    for i, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or tool.get("type") != "function":
            yield "tools", f'tools[{i}] is not {{"type": "function", "function": {{...}}}}'
        elif not isinstance(function.get("name"), str) or not function["name"].strip():
            name = format_json(function.get("name"))
            yield "tools", f"tools[{i}].function.name is {name}; give a name"


def _call_ids(calls: Any) -> list[str]:
    calls = calls if isinstance(calls, list) else []
    ids = (call.get("id") for call in calls if isinstance(call, dict))
    return [i for i in ids if isinstance(i, str)]


def _call_list_faults(path: str, calls: Any, names: set[str] | None) -> Iterator[Fault]:
    if not isinstance(calls, list) or not calls:
        description = "empty" if calls == [] else format_json(calls)
        advice = "a list of calls is needed, or no such key"
        yield "tool call", f"{path} is {description}; {advice}"
        return
    for i, call in enumerate(calls):
        place = f"{path}[{i}]"
        if not isinstance(call, dict):
            yield "tool call", f"{place} is {format_json(call)}; an object is needed"
            continue
        call_id, call_type = call.get("id"), call.get("type")
        if not isinstance(call_id, str) or not call_id.strip():
            advice = "a text is needed, for its result"
            yield "tool call", f"{place}.id is {format_json(call_id)}; {advice}"
        if call_type != "function":
            yield "tool call", f"{place}.type is {format_json(call_type)}; 'function' is valid"
        yield from _function_faults(f"{place}.function", call.get("function"), names)
    ids = _call_ids(calls)
    for repeated_id in sorted({i for i in ids if ids.count(i) > 1}):
        problem = f"has the id {format_json(repeated_id)} twice; each needs its own"
        yield "tool call", f"{path} {problem}"


def _function_faults(path: str, function: Any, names: set[str] | None) -> Iterator[Fault]:
    """Yield the faults of a called function's name, which must be in `names`, and arguments."""
    if not isinstance(function, dict):
        yield "tool call", f"{path} is {format_json(function)}; an object is needed"
        return
    name = function.get("name")
    if not isinstance(name, str) or not name.strip():
        yield "tool call", f"{path}.name is {format_json(name)}; the name of a tool is needed"
    elif names is not None and name not in names:
        valid = ", ".join(sorted(names)) or "none"
        yield "tool call", f"{path}.name is {format_json(name)}; the row's tools are: {valid}"
    path, arguments = f"{path}.arguments", function.get("arguments")
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
