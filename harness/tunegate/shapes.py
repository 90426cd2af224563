"""The shapes a row may come in: chat messages, Alpaca, ShareGPT, prompt and completion,
preferences.

Each is turned into `messages`; whoever reads the file says so, once, in a hint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from . import preferences
from .strictjson import Unreadable
from .turns import Fields, Message, asked, found, must_be_messages, opening, replied, text
from .turns import kind as kind  # said of rows elsewhere, too

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
    fields: Callable[[Mapping[str, Any]], Fields]  # `messages`, and what comes with them
    note: str


def normalised(value: Any) -> tuple[Shape, Fields]:
    """Return the shape of a row, and its fields with `messages`; raise Unreadable."""
    if not isinstance(value, dict):
        raise Unreadable("shape", f"the row is {kind(value)}; an object with `messages` is needed")
    shape = _shape_of(value)
    if shape is None:
        raise Unreadable("shape", _unknown(value))
    made = shape.fields(value)
    must_be_messages(made["messages"])
    if shape is SHAPES[0]:
        preferences.check(value)
        return shape, value
    rest = {key: item for key, item in value.items() if key not in shape.takes}
    for twin in sorted(made.keys() & rest.keys()):
        raise Unreadable("shape", f"{twin} stands twice: in the row, and among its messages")
    return shape, {**made, **rest}


def _shape_of(value: Fields) -> Shape | None:
    shapes = [shape for shape in SHAPES if shape.needs <= value.keys()]
    if TRL in shapes and "messages" in value and value["chosen"] == value["messages"]:
        return TRL  # the preferred side stands there twice
    return next(iter(shapes), None)


def _unknown(value: Fields) -> str:
    has = ", ".join(ascii(key)[1:-1][:30] for key in list(value)[:6]) or "no fields at all"
    valid = "; ".join(" + ".join(sorted(shape.needs)) for shape in SHAPES)
    return f"no `messages`; the row has {has}; one of these is needed: {valid}"


def _turns(prompt: str, reply: str) -> list[Message]:
    return [asked(prompt), replied(reply)]


def _chat(fields: Mapping[str, Any]) -> Any:
    return fields["messages"]


def _alpaca(fields: Mapping[str, Any]) -> list[Message]:
    parts = [text(fields, "instruction"), text(fields, "input", "")]
    earlier: list[Message] = []
    history = fields.get("history") or []
    for i, pair in enumerate(history if isinstance(history, list) else [history]):
        if not isinstance(pair, list) or [type(t) for t in pair] != [str, str]:
            raise Unreadable("shape", f"history[{i}] is not a pair of texts: question and answer")
        earlier += _turns(*pair)
    prompt = "\n\n".join(part for part in parts if part)
    return [*opening(fields), *earlier, *_turns(prompt, text(fields, "output"))]


def _sharegpt(fields: Mapping[str, Any]) -> list[Message]:
    turns = fields["conversations"]
    if not isinstance(turns, list):
        raise Unreadable("shape", f"conversations is {kind(turns)}; a list is needed")
    return [*opening(fields), *(_spoken(i, turn) for i, turn in enumerate(turns))]


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
        raise Unreadable("shape", f"{here}.value is {found(turn, 'value')}")
    kept = {key: item for key, item in turn.items() if key not in ("from", "value")}
    return {"role": SPEAKERS[speaker], "content": turn["value"], **kept}


def _prompt_completion(fields: Mapping[str, Any]) -> list[Message]:
    prompt, completion = fields["prompt"], fields["completion"]
    if isinstance(prompt, list) and isinstance(completion, list):
        return [*opening(fields), *prompt, *completion]
    return [*opening(fields), *_turns(text(fields, "prompt"), text(fields, "completion"))]


def _shape(name: str, needs: str, more: str, messages: Callable[..., Any], note: str) -> Shape:
    wanted = frozenset(needs.split())
    made = partial(_alone, messages)
    return Shape(name, wanted, wanted | set(more.split()), made, note)


def _alone(messages: Callable[..., Any], fields: Mapping[str, Any]) -> Fields:
    return {"messages": messages(fields)}


TRL = Shape(
    "preferences (TRL)",
    frozenset({"chosen", "rejected"}),
    frozenset({"prompt", "chosen", "rejected", "system", "messages"}),
    preferences.trl,
    "prompt and chosen became messages",
)
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
    Shape(
        "preferences (OpenAI)",
        frozenset({"input", "preferred_output", "non_preferred_output"}),
        frozenset({"input", "preferred_output", "non_preferred_output"}),
        preferences.openai,
        "input and preferred_output became messages, non_preferred_output became rejected",
    ),
    TRL,
)
