"""The shapes a row may come in: chat messages, Alpaca, ShareGPT, prompt and completion.

Each is turned into `messages`; whoever reads the file says so, once, in a hint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .strictjson import Unreadable

Fields = dict[str, Any]
Message = dict[str, Any]

SPEAKERS = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "assistant": "assistant",
}


@dataclass(frozen=True)
class Shape:
    """How one shape is recognised (all of `needs` are there), and made into messages."""

    name: str
    needs: frozenset[str]
    takes: frozenset[str]  # every field that the messages are made of; the rest is kept as it is
    messages: Callable[[Mapping[str, Any]], Any]
    note: str


def normalised(value: Any) -> tuple[Shape, Fields]:
    """Return the shape of a row, and its fields with `messages`; raise Unreadable."""
    if not isinstance(value, dict):
        raise Unreadable("shape", f"the row is {kind(value)}; an object with `messages` is needed")
    shape = next((s for s in SHAPES if s.needs <= value.keys()), None)
    if shape is None:
        raise Unreadable("shape", _unknown(value))
    messages = shape.messages(value)
    _must_be_messages(messages)
    if shape is SHAPES[0]:
        return shape, value
    rest = {key: item for key, item in value.items() if key not in shape.takes}
    return shape, {"messages": messages, **rest}


def _unknown(value: Fields) -> str:
    has = ", ".join(ascii(key)[1:-1][:30] for key in list(value)[:6]) or "no fields at all"
    valid = "; ".join(" + ".join(sorted(shape.needs)) for shape in SHAPES)
    return f"no `messages`; the row has {has}; one of these is needed: {valid}"


def _must_be_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        found = "empty" if messages == [] else kind(messages)
        raise Unreadable("shape", f"messages is {found}; a list of role and content is needed")
    for i, message in enumerate(messages):
        if not isinstance(message, dict):
            raise Unreadable("shape", f"messages[{i}] is {kind(message)}; an object is needed")
        if not isinstance(message.get("role"), str):
            raise Unreadable("shape", f"messages[{i}].role is {_found(message, 'role')}")
        if not isinstance(message.get("content"), str | list | None):
            found = _found(message, "content")
            raise Unreadable("shape", f"messages[{i}].content is {found}")


def _found(fields: Mapping[str, Any], name: str) -> str:
    what = kind(fields[name]) if name in fields else "missing"
    return f"{what}; a text is needed"


def kind(value: Any) -> str:
    """Name the JSON type of a value: `an object`, `a text`, `null`."""
    names = {dict: "an object", list: "an array", str: "a text", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def _text(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise Unreadable("shape", f"{name} is {_found(fields, name)}")
    return value


def _opening(fields: Mapping[str, Any]) -> list[Message]:
    system = _text(fields, "system", "")
    return [{"role": "system", "content": system}] if system else []


def _turns(prompt: str, reply: str) -> list[Message]:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]


def _chat(fields: Mapping[str, Any]) -> Any:
    return fields["messages"]


def _alpaca(fields: Mapping[str, Any]) -> list[Message]:
    asked = [_text(fields, "instruction"), _text(fields, "input", "")]
    earlier: list[Message] = []
    history = fields.get("history") or []
    for i, pair in enumerate(history if isinstance(history, list) else [history]):
        if not isinstance(pair, list) or [type(t) for t in pair] != [str, str]:
            raise Unreadable("shape", f"history[{i}] is not a pair of texts: question and answer")
        earlier += _turns(*pair)
    prompt = "\n\n".join(text for text in asked if text)
    return [*_opening(fields), *earlier, *_turns(prompt, _text(fields, "output"))]


def _sharegpt(fields: Mapping[str, Any]) -> list[Message]:
    turns = fields["conversations"]
    if not isinstance(turns, list):
        raise Unreadable("shape", f"conversations is {kind(turns)}; a list is needed")
    return [*_opening(fields), *(_spoken(i, turn) for i, turn in enumerate(turns))]


def _spoken(i: int, turn: Any) -> Message:
    here = f"conversations[{i}]"
    if not isinstance(turn, dict):
        raise Unreadable("shape", f"{here} is {kind(turn)}; an object is needed")
    if "role" in turn:
        return turn  # some exporters write messages under this name
    speaker = turn.get("from")
    if not isinstance(speaker, str) or speaker not in SPEAKERS:
        valid = ", ".join(SPEAKERS)
        raise Unreadable("shape", f"{here}.from is {ascii(speaker)[:40]}; one of: {valid}")
    if not isinstance(turn.get("value"), str):
        raise Unreadable("shape", f"{here}.value is {_found(turn, 'value')}")
    kept = {key: item for key, item in turn.items() if key not in ("from", "value")}
    return {"role": SPEAKERS[speaker], "content": turn["value"], **kept}


def _prompt_completion(fields: Mapping[str, Any]) -> list[Message]:
    prompt, completion = fields["prompt"], fields["completion"]
    if isinstance(prompt, list) and isinstance(completion, list):
        return [*_opening(fields), *prompt, *completion]
    return [*_opening(fields), *_turns(_text(fields, "prompt"), _text(fields, "completion"))]


def _shape(name: str, needs: str, more: str, messages: Callable[..., Any], note: str) -> Shape:
    wanted = frozenset(needs.split())
    return Shape(name, wanted, wanted | set(more.split()), messages, note)


SHAPES = (
    _shape("chat", "messages", "", _chat, ""),
    _shape(
        "ShareGPT",
        "conversations",
        "system",
        _sharegpt,
        "conversations (from, value) became messages",
    ),
    _shape(
        "Alpaca",
        "instruction output",
        "input system history",
        _alpaca,
        "instruction, input and output became messages",
    ),
    _shape(
        "prompt and completion",
        "prompt completion",
        "system",
        _prompt_completion,
        "prompt and completion became messages",
    ),
)
