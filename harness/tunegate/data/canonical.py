"""Brings what a row gives to the model, and what the model must answer, into one canonical form.

Two rows have the same form if a chat template would give the model the same: the order of JSON
keys, keys that are null, a text as a list of one part, the ids of tool calls (they are numbered)
and arguments written as a text of JSON make no difference. Reasoning is kept apart: chat templates
leave that of earlier turns out.

`read_reply` reads the text of a model as its chat template has it: reasoning, answer, tool calls.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..utils.files import sha256_json
from ..utils.strict_json import parse_json_text
from ..utils.text import split_reasoning
from .formats.row_format import given_tools

Message = Mapping[str, Any]
TextForm = Callable[[str], str]
Calls = Sequence[Mapping[str, Any]]

# Fields of a row, beside its messages, that a chat template or a processor gives to the model.
GIVEN_FIELDS = (
    "tools", "functions", "documents", "images", "image", "audios", "audio", "videos", "video",
)  # fmt: skip
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=str)
_IN_A_TURN = ("role", "content", "tool_calls", "function_call", "tool_call_id")
REASONING_KEYS = ("reasoning_content", "thinking", "reasoning")
# A call of Hermes and Qwen (one that was cut off has no end), and of Mistral: a list of calls, or
# since version 11 of its tokenizer the name of a tool and its arguments.
_CALL = re.compile(
    r"<tool_call>\s*(?P<qwen>.*?)\s*(?:</tool_call>|\Z)"
    r"|\[TOOL_CALLS\]\s*(?:(?P<name>[\w.-]+)(?:\[CALL_ID\]\w+)?\[ARGS\])?(?P<mistral>.*?)"
    r"(?=\[TOOL_CALLS\]|\Z)",
    re.S,
)
_DECLARATION = re.compile(r'(?:\[\s*)?\{\s*"(?:type|name|description|function)"')  # of tools
CACHED_TEXTS = 1 << 17  # whose forms are kept: several checks ask for them
_PYTHON_TAG = "<|python_tag|>"  # Llama 3.1 may write it before the JSON of a call


def content_text(message: Message) -> str:
    """Return the text of a message; of a list of parts, the parts with a text, one on each line."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(p["text"]) for p in parts if isinstance(p, dict) and "text" in p)


@lru_cache(maxsize=CACHED_TEXTS)
def part_tools(text: str) -> tuple[str, str]:
    """Return a text without the tools that it declares in JSON (Hermes, ToolACE), and these."""
    rest, tools, end = "", "", 0
    for start in (match.start() for match in _DECLARATION.finditer(text)):
        with suppress(ValueError, RecursionError):
            data, stop = json.JSONDecoder().raw_decode(text, start) if start >= end else ((), 0)
            found = [t.get("function") for t in given_tools({"tools": data}) if isinstance(t, dict)]
            if any(isinstance(function, dict) and "parameters" in function for function in found):
                rest, tools, end = rest + text[end:start], tools + text[start:stop], stop
    return rest + text[end:], tools


def identical(text: str) -> str:
    """Return a text with its line ends as line feeds: equal for identical texts alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


@dataclass(frozen=True, slots=True)
class Target:
    """What the model must answer: the text without its reasoning, parts, tool calls, a refusal.

    `parts` (sound, pictures) and `calls` are canonical JSON, "" for none. Two targets with another
    reasoning are equal. A target is falsy if it holds nothing at all.
    """

    text: str = ""
    calls: str = ""
    parts: str = ""
    refusal: str = ""
    reasoning: str = field(default="", compare=False)

    def __bool__(self) -> bool:
        return bool(self.text.strip() or self.calls or self.parts or self.refusal)

    def key(self, form: TextForm) -> tuple[str, ...]:
        """Return all that it says, its texts in a form. Other reasoning is something to learn."""
        return form(self.text), form(self.refusal), form(self.reasoning), self.calls, self.parts


def target_of(message: Message) -> Target:
    """Return what a message of the assistant answers."""
    reasoning, text = split_reasoning(content_text(message))
    thoughts = [reasoning, *(str(message[key]) for key in REASONING_KEYS if message.get(key))]
    return Target(
        text=identical(text), calls=to_json(calls) if (calls := calls_of(message)) else "",
        parts=non_text_json([message]), refusal=str(message.get("refusal") or ""),
        reasoning="\n".join(filter(None, thoughts)),
    )  # fmt: skip


def request_digest(messages: Sequence[Message], tools: Sequence[Any] = ()) -> str:
    """Return the digest of all that a model is asked: each field of each message, and the tools.

    The ids of tool calls only number them. Of messages that hold nothing beside role and content it
    is what the digest of every request was until requests had tools, so that answers stay valid.
    """
    asked = [[m["role"], m.get("content")] for m in messages]
    more = list(map(_beside_content, messages, canonical_turns(messages)))
    return sha256_json([asked, to_json([more, tools])] if tools or any(more) else asked)


def _beside_content(message: Message, turn: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a message holds beside role and content; `turn` is its canonical form."""
    more = {k: v for k, v in message.items() if k not in _IN_A_TURN and v is not None}
    calls = [call for call in turn.get("calls", ()) if any(call.values())]
    numbered = {"calls": calls, "answers": turn.get("answers")}
    return more | {key: value for key, value in numbered.items() if value}


def canonical_turns(
    messages: Sequence[Message], text: TextForm = identical
) -> list[dict[str, Any]]:
    """Return messages in canonical form, their texts in the form `text`."""
    turns: list[dict[str, Any]] = []
    numbers: dict[str, int] = {}  # of tool calls, by id
    calls_before = answered = 0
    for message in messages:
        role = "system" if message["role"] == "developer" else message["role"]
        turn: dict[str, Any] = {"role": role, "content": _content_of(message, role, text)}
        if message.get("name"):
            turn["name"] = message["name"]
        if calls := calls_of(message):
            turn["calls"] = calls
            for number, call in enumerate(_listed(message.get("tool_calls")), calls_before):
                if isinstance(call, dict) and call.get("id"):
                    numbers[str(call["id"])] = number
            calls_before += len(calls)
        if role in ("tool", "function"):
            turn["answers"] = numbers.get(str(message.get("tool_call_id")), answered)
            answered += 1
        turns.append(turn)
    return turns


def _content_of(message: Message, role: str, text: TextForm) -> Any:
    """Return the text of a message, or a list of its texts and other parts in their order."""
    content = message.get("content")
    if isinstance(content, str):
        return text(split_reasoning(content)[1] if role == "assistant" else content)
    items: list[Any] = []
    for part in _listed(content):
        if not (isinstance(part, dict) and "text" in part):
            items.append(_without_nulls(part))
        elif items and isinstance(items[-1], str):
            items[-1] += f"\n{part['text']}"
        else:
            items.append(str(part["text"]))
    items = [text(item) if isinstance(item, str) else item for item in items]
    one_text = all(isinstance(item, str) for item in items)  # or none
    return "".join(items) if one_text else items


def calls_of(message: Message) -> list[dict[str, Any]]:
    """Return the name and the arguments of each tool call of a message, as JSON values."""
    old_call = message.get("function_call")
    named = []
    for call in [*_listed(message.get("tool_calls")), *([old_call] if old_call else [])]:
        function = call.get("function", call) if isinstance(call, dict) else call
        if isinstance(function, dict):
            arguments = _without_nulls(parse_json_text(function.get("arguments")))
            named.append({"name": function.get("name"), "arguments": arguments})
        else:
            named.append({"name": function})
    return named


def calls_json(messages: Sequence[Message]) -> str:
    """Return the tool calls of messages as JSON that is equal for equal calls; "" for none."""
    calls = [call for message in messages for call in calls_of(message)]
    return to_json(with_whole_numbers(calls)) if calls else ""


def with_whole_numbers(value: Any) -> Any:
    """Return a JSON value with whole floats such as 1.0 as integers, at any depth."""
    text = json.dumps(value, default=str)
    return json.loads(text, parse_float=lambda s: int(n) if (n := float(s)).is_integer() else n)


def given_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row gives to the model beside its messages: tools, documents, pictures."""
    names = (name for name in GIVEN_FIELDS if name in fields)
    given = {name: _without_nulls(parse_json_text(fields[name])) for name in names}
    return {name: value for name, value in given.items() if value not in (None, "", [], {})}


def non_text_json(messages: Sequence[Message]) -> str:
    """Return the parts of messages that are not text, such as pictures, as JSON; "" for none."""
    parts = [part for message in messages for part in _listed(message.get("content"))]
    non_text = [_without_nulls(p) for p in parts if not (isinstance(p, dict) and "text" in p)]
    return to_json(non_text) if non_text else ""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def to_json(value: Any) -> str:
    """Return a value as JSON with its keys in order; what JSON lacks as its text."""
    return _ENCODER.encode(value)


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
