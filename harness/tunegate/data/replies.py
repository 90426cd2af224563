"""Reads what a model wrote: takes the reasoning off, and tool calls out of the text.

Servers with a parser for the model do this themselves; the text of other models has the marks that
their chat templates teach them to write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: its text, the reasoning before it, and its tool calls, by name and arguments."""

    text: str
    reasoning: str = ""
    tool_calls: Calls = ()


def read_reply(text: str, tools: Sequence[Mapping[str, Any]] = ()) -> Reply:
    """Return the reply that a text of a model holds; tool calls are read where there are `tools`.

    A call that is no JSON has its text as arguments.
    """
    reasoning, answer = split_reasoning(text)
    answer = answer if answer == text else answer.lstrip()
    if tools and (calls := [call for match in _CALL.finditer(answer) for call in _calls_at(match)]):
        return Reply(_CALL.sub("", answer).strip(), reasoning, calls)
    if tools and answer.lstrip().startswith(("{", "[", _PYTHON_TAG)):
        names = [tool.get("function", tool).get("name") for tool in tools]
        calls = list(_calls_of_json(answer.strip().removeprefix(_PYTHON_TAG)))
        if all(call["name"] in names for call in calls):
            return Reply("", reasoning, calls)
    return Reply(answer, reasoning)


def _calls_at(match: re.Match[str]) -> Iterator[dict[str, Any]]:
    if match["name"]:
        yield {"name": match["name"], "arguments": match["mistral"]}
    else:
        yield from _calls_of_json(match["qwen"] or match["mistral"] or "")


def _calls_of_json(text: str) -> Iterator[dict[str, Any]]:
    """Yield the calls of JSON: an object, a list of them, or several with `;` between them."""
    decoder, rest = json.JSONDecoder(), text
    try:
        while rest := rest.lstrip("; \t\r\n"):
            value, end = decoder.raw_decode(rest)
            for call in value if isinstance(value, list) else [value]:
                arguments = call.get("arguments", call.get("parameters"))
                yield {"name": call["name"], "arguments": arguments}
            rest = rest[end:]
    except (ValueError, KeyError, AttributeError, RecursionError):
        yield {"name": "", "arguments": rest}
