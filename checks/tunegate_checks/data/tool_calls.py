"""Tool calls: is each one well formed, and answered by exactly one result, in its place?

Rules: the Chat Completions reference, https://platform.openai.com/docs/guides/function-calling.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Fault = tuple[str, str]  # kind and evidence
Message = Mapping[str, Any]


def shown(value: object) -> str:
    """Return a value as it is shown in evidence: on one line, short, its type plain to see."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def faults(messages: Sequence[Message], tools: Any = None) -> Iterator[Fault]:
    """Yield what is wrong with the tool calls of one row, and with its list of `tools`."""
    names = None
    if tools is not None:
        yield from _tools(tools)
        names = _names(tools) if isinstance(tools, list) else None
    open_calls: list[str] = []
    for i, message in enumerate(messages):
        here = f"messages[{i}]"
        if message["role"] == "tool":
            yield from _result(here, message, open_calls)
            continue
        if open_calls:
            waiting = ", ".join(shown(c) for c in open_calls)
            yield "tool result", f"{here} stands where the result of {waiting} is due"
            open_calls = []
        if "tool_call_id" in message:
            yield "tool result", f"{here}.tool_call_id belongs to a message from tool alone"
        if message.get("tool_calls") is not None:
            yield from _calls(here, message, names)
            open_calls = _ids(message["tool_calls"])
        if message.get("function_call") is not None:
            yield from _function(f"{here}.function_call", message["function_call"], names)


def _tools(tools: Any) -> Iterator[Fault]:
    if not isinstance(tools, list) or not tools:
        yield "tools", f"tools is {'empty' if tools == [] else shown(tools)}; a list is needed"
        return
    for i, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or tool.get("type") != "function":
            yield "tools", f'tools[{i}] is not {{"type": "function", "function": {{...}}}}'
        elif not isinstance(function.get("name"), str) or not function["name"].strip():
            yield "tools", f"tools[{i}].function.name is {shown(function.get('name'))}; give a name"


def _names(tools: list[Any]) -> set[str]:
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
    return {str(f.get("name")) for f in functions if isinstance(f, dict)}


def _ids(calls: Any) -> list[str]:
    calls = calls if isinstance(calls, list) else []
    ids = (call.get("id") for call in calls if isinstance(call, dict))
    return [i for i in ids if isinstance(i, str)]


def _calls(here: str, message: Message, names: set[str] | None) -> Iterator[Fault]:
    calls = message["tool_calls"]
    if message["role"] != "assistant":
        yield "tool call", f"{here}.tool_calls stands on {shown(message['role'])}, not assistant"
    if not isinstance(calls, list) or not calls:
        found = "empty" if calls == [] else shown(calls)
        yield (
            "tool call",
            f"{here}.tool_calls is {found}; a list of calls is needed, or no such key",
        )
        return
    ids = _ids(calls)
    for i, call in enumerate(calls):
        yield from _call(f"{here}.tool_calls[{i}]", call, names)
    for twin in sorted({i for i in ids if ids.count(i) > 1}):
        yield "tool call", f"{here}.tool_calls has the id {shown(twin)} twice; each needs its own"


def _call(here: str, call: Any, names: set[str] | None) -> Iterator[Fault]:
    if not isinstance(call, dict):
        yield "tool call", f"{here} is {shown(call)}; an object is needed"
        return
    if not isinstance(call.get("id"), str) or not call["id"].strip():
        yield "tool call", f"{here}.id is {shown(call.get('id'))}; a text is needed, for its result"
    if call.get("type") != "function":
        yield "tool call", f"{here}.type is {shown(call.get('type'))}; 'function' is valid"
    yield from _function(f"{here}.function", call.get("function"), names)


def _function(here: str, function: Any, names: set[str] | None) -> Iterator[Fault]:
    if not isinstance(function, dict):
        yield "tool call", f"{here} is {shown(function)}; an object is needed"
        return
    name = function.get("name")
    if not isinstance(name, str) or not name.strip():
        yield "tool call", f"{here}.name is {shown(name)}; the name of a tool is needed"
    elif names is not None and name not in names:
        valid = ", ".join(sorted(names)) or "none"
        yield "tool call", f"{here}.name is {shown(name)}; the row's tools are: {valid}"
    yield from _arguments(f"{here}.arguments", function.get("arguments"))


def _arguments(here: str, arguments: Any) -> Iterator[Fault]:
    if not isinstance(arguments, str):
        advice = "the arguments as a JSON text are needed (json.dumps)"
        yield "arguments", f"{here} is {shown(arguments)}; {advice}"
        return
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        yield "arguments", f"{here} is a text that is not JSON; write an object, such as '{{}}'"
        return
    if not isinstance(value, dict):
        yield "arguments", f"{here} holds {shown(value)} as JSON; an object is needed"


def _result(here: str, message: Message, open_calls: list[str]) -> Iterator[Fault]:
    answered = message.get("tool_call_id")
    if not isinstance(answered, str):
        advice = "the id of the call it answers is needed"
        yield "tool result", f"{here}.tool_call_id is {shown(answered)}; {advice}"
    elif answered not in open_calls:
        due = ", ".join(shown(c) for c in open_calls) or "none"
        evidence = f"answers no call that is open (open: {due})"
        yield "tool result", f"{here}.tool_call_id is {shown(answered)}: it {evidence}"
    else:
        open_calls.remove(answered)
