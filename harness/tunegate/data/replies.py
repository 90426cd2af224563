"""Reads the text of a model as its chat template has it: reasoning, answer, tool calls."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..utils.text import split_reasoning

Calls = Sequence[Mapping[str, Any]]

# A call of Hermes and Qwen (one that was cut off has no end), and of Mistral: a list of calls, or
# since version 11 of its tokenizer the name of a tool and its arguments.
_CALL = re.compile(
    r"<tool_call>\s*(?P<qwen>.*?)\s*(?:</tool_call>|\Z)"
    r"|\[TOOL_CALLS\]\s*(?:(?P<name>[\w.-]+)(?:\[CALL_ID\]\w+)?\[ARGS\])?(?P<mistral>.*?)"
    r"(?=\[TOOL_CALLS\]|\Z)",
    re.S,
)
_PYTHON_TAG = "<|python_tag|>"  # Llama 3.1 may write it before the JSON of a call


def read_reply(text: str, tools: Sequence[Mapping[str, Any]] = ()) -> tuple[str, str, Calls]:
    """Return the answer in a text of a model, its reasoning, and the tool calls of its text.

    Calls are read where there are `tools`; one that is no JSON has its text as arguments.
    """
    reasoning, answer = split_reasoning(text)
    answer = answer if answer == text else answer.lstrip()
    calls: list[dict[str, Any]] = []
    for mark in _CALL.finditer(answer) if tools else ():
        calls += _calls_of_json(mark["qwen"] or mark["mistral"] or "", mark["name"])
    if calls:
        return _CALL.sub("", answer).strip(), reasoning, calls
    if tools and answer.lstrip().startswith(("{", "[", _PYTHON_TAG)):
        names = [tool.get("function", tool).get("name") for tool in tools]
        calls = list(_calls_of_json(answer.strip().removeprefix(_PYTHON_TAG)))
        if calls and all(call["name"] in names for call in calls):
            return "", reasoning, calls
    return answer, reasoning, ()


def _calls_of_json(text: str, name: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the calls in JSON, with `;` between several; or the call of the tool of this `name`."""
    decoder, rest = json.JSONDecoder(), text
    try:
        while not name and (rest := rest.lstrip("; \t\r\n")):
            value, end = decoder.raw_decode(rest)
            for call in value if isinstance(value, list) else [value]:
                arguments = call.get("arguments", call.get("parameters"))
                yield {"name": call["name"], "arguments": arguments}
            rest = rest[end:]
    except (ValueError, KeyError, AttributeError, RecursionError):
        name = ""
    if name is not None:
        yield {"name": name, "arguments": rest}
